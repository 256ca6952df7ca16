#include "model_store/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/checkpoint_files.h"

namespace bitplex::checkpoint {
namespace {

using test::SafetensorsBytes;
using test::SafetensorsField;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(SafetensorsTest, ReadsTensorsAndMetadata) {
  const test::Tensors written = {{"a", {{2, 2}, {1, 2, 3, 4}}}, {"b", {{}, {5}}}, {"c", {{0}, {}}}};
  const std::string file = test::SafetensorsFile(written, R"({"task":"cifar10"})");
  const auto raw = ReadSafetensors(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_THAT(raw->metadata, ElementsAre(Pair("task", "cifar10")));
  ASSERT_EQ(raw->entries.size(), 3);
  for (const auto& [name, tensor] : written) {
    const auto read = ReadTensor(*raw, raw->entries.at(name));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->shape, tensor.shape);
    EXPECT_EQ(read->values, tensor.values);
  }
}

TEST(SafetensorsTest, OrderOfTheDataIsFree) {
  const std::string file = SafetensorsBytes("{" + SafetensorsField("a", "F32", {1}, 4, 8) + "," +
                                                SafetensorsField("b", "F32", {1}, 0, 4) + "}   ",
                                            test::LittleEndian(1.f) + test::LittleEndian(2.f));
  const auto raw = ReadSafetensors(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_THAT(ReadTensor(*raw, raw->entries.at("a"))->values, ElementsAre(2));
}

TEST(SafetensorsTest, PassesOverBatchCounters) {
  const std::string file =
      SafetensorsBytes("{" + SafetensorsField("bn1.num_batches_tracked", "I64", {}, 0, 8) + "}",
                       std::string(8, '\1'));
  const auto raw = ReadSafetensors(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_TRUE(raw->entries.empty());
}

struct DamagedCase {
  const char* name;
  std::string file;
  absl::StatusCode code;
  const char* fault;
};

class DamagedSafetensorsTest : public testing::TestWithParam<DamagedCase> {};

TEST_P(DamagedSafetensorsTest, IsRefused) {
  const auto raw = ReadSafetensors(test::Bytes(GetParam().file));
  EXPECT_EQ(raw.status().code(), GetParam().code);
  EXPECT_THAT(std::string(raw.status().message()), HasSubstr(GetParam().fault));
}

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kInvalidArgument;

// One tensor of two floats whose header field is written by the test.
std::string File(const std::string& header) {
  return SafetensorsBytes(header, std::string(8, '\0'));
}

std::string OneTensor(const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
  return File(R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
              offsets + "}}");
}

std::string Repeat(const std::string& text, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

INSTANTIATE_TEST_SUITE_P(
    , DamagedSafetensorsTest,
    testing::Values(
        DamagedCase{"LengthCut", "\x10{", kDamaged, "no safetensors header"},
        DamagedCase{"HeaderPastTheEnd", test::LittleEndian<uint64_t>(3) + "{}", kDamaged,
                    "claims 3 bytes; the file has 2"},
        DamagedCase{"LengthOverflows", test::LittleEndian(UINT64_MAX) + "{}", kDamaged,
                    "claims 18446744073709551615 bytes"},
        DamagedCase{"HeaderCut", File(R"({"a":{"dtype":"F32")"), kDamaged,
                    "not JSON from its byte"},
        DamagedCase{"NotJson", File("{]"), kDamaged, "not JSON from its byte 2"},
        DamagedCase{"NotUtf8", File("{\"\xff\":{}}"), kDamaged, "not JSON"},
        DamagedCase{"TextAfterTheHeader", File("{}{}"), kDamaged, "not JSON"},
        DamagedCase{"HeaderIsAnArray", File("[]"), kDamaged, "an array"},
        DamagedCase{"TensorIsANumber", File(R"({"a":1})"), kDamaged, "a number under a"},
        DamagedCase{"TensorIsNull", File(R"({"a":null})"), kDamaged, "null under a"},
        DamagedCase{"MetadataIsNoText", File(R"({"__metadata__":{"a":true}})"), kDamaged,
                    "a boolean"},
        DamagedCase{"MetadataRepeated", File(R"({"__metadata__":{"a":"x","a":"y"}})"), kDamaged,
                    "a repeated key"},
        DamagedCase{"UnknownField", File(R"({"a":{"kind":1}})"), kDamaged,
                    "an unknown or repeated"},
        DamagedCase{"RepeatedField", File(R"({"a":{"dtype":"F32","dtype":"F32"}})"), kDamaged,
                    "an unknown or repeated"},
        DamagedCase{"FieldMissing", File(R"({"a":{"dtype":"F32","shape":[2]}})"), kDamaged,
                    "tensor a lacks one of"},
        DamagedCase{"NestedArrays", OneTensor("F32", Repeat("[", 1'000'000), "[0,8]"), kDamaged,
                    "an array under shape of a"},
        DamagedCase{"NestedObjects", File(R"({"a":{"shape":)" + Repeat(R"({"shape":)", 1'000'000)),
                    kDamaged, "an object"},
        DamagedCase{"NegativeSize", OneTensor("F32", "[-2]", "[0,8]"), kDamaged,
                    "a negative number"},
        DamagedCase{"FractionalSize", OneTensor("F32", "[2.5]", "[0,8]"), kDamaged, "not whole"},
        DamagedCase{"SizeOf64Bits", OneTensor("F32", "[9223372036854775808]", "[0,8]"), kDamaged,
                    "beyond 63 bits"},
        DamagedCase{"SizeBeyond64Bits", OneTensor("F32", "[18446744073709551616]", "[0,8]"),
                    kDamaged, "not whole"},
        DamagedCase{"TooManyAxes", OneTensor("F32", "[2" + Repeat(",1", 16) + "]", "[0,8]"),
                    kDamaged, "over 16 axes"},
        DamagedCase{"OneOffset", OneTensor("F32", "[2]", "[0]"), kDamaged,
                    "other than two offsets"},
        DamagedCase{"ThreeOffsets", OneTensor("F32", "[2]", "[0,8,8]"), kDamaged,
                    "other than two offsets"},
        DamagedCase{"OffsetPastTheEnd", OneTensor("F32", "[2]", "[4,12]"), kDamaged,
                    "lies at bytes 4 to 12 of a data part of 8 bytes"},
        DamagedCase{"OffsetsReversed", OneTensor("F32", "[2]", "[8,0]"), kDamaged, "bytes 8 to 0"},
        DamagedCase{"OffsetOverflows", OneTensor("F32", "[2]", "[18446744073709551608,0]"),
                    kDamaged, "bytes 18446744073709551608 to 0"},
        DamagedCase{"ShapeDisagreesWithOffsets", OneTensor("F32", "[3]", "[0,8]"), kDamaged,
                    "has 8 bytes, but F32 of shape (3) takes 12"},
        DamagedCase{"ShapeProductOverflows", OneTensor("F32", "[4294967296,4294967296]", "[0,8]"),
                    kDamaged, "takes more than any file holds"},
        DamagedCase{"ShapeProductOverflowsToTheRightSize",
                    OneTensor("F32", "[4611686018427387905,2]", "[0,8]"), kDamaged,
                    "takes more than any file holds"},
        DamagedCase{"HoleAtTheFront", OneTensor("F32", "[1]", "[4,8]"), kDamaged,
                    "a hole at byte 0"},
        DamagedCase{"HoleAtTheEnd", OneTensor("F32", "[1]", "[0,4]"), kDamaged,
                    "4 bytes after the last tensor"},
        DamagedCase{"Overlap",
                    File("{" + SafetensorsField("a", "F32", {2}, 0, 8) + "," +
                         SafetensorsField("b", "F32", {1}, 4, 8) + "}"),
                    kDamaged, "an overlap at byte 4"},
        DamagedCase{"TensorListedTwice",
                    File("{" + SafetensorsField("a", "F32", {1}, 0, 4) + "," +
                         SafetensorsField("a", "F32", {1}, 4, 8) + "}"),
                    kDamaged, "tensor a is listed twice"},
        DamagedCase{"Integers", OneTensor("I64", "[1]", "[0,8]"), kUnfit, "tensor a has dtype I64"},
        DamagedCase{"UnknownDtype", OneTensor("F4", "[2]", "[0,8]"), kUnfit, "unknown dtype F4"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace bitplex::checkpoint
