#include "model_store/checkpoint/raw_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/checkpoint_files.h"

namespace bitplex::checkpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;

RawTensors OneStorage(const std::string& bytes) {
  RawTensors raw;
  raw.storage = [bytes](uint64_t) { return test::Bytes(bytes); };
  return raw;
}

// Elements 0, 1, 2...
RawTensors CountingFloats(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += test::LittleEndian(static_cast<float>(i));
  return OneStorage(bytes);
}

TEST(ReadTensorTest, FollowsTheStrides) {
  const RawTensors raw = CountingFloats(6);
  const auto transposed = ReadTensor(raw, {.shape = {3, 2}, .strides = {1, 3}});
  ASSERT_TRUE(transposed.ok()) << transposed.status();
  EXPECT_THAT(transposed->shape, ElementsAre(3, 2));
  EXPECT_THAT(transposed->values, ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(ReadTensorTest, ReadsASliceWithAnOffset) {
  const RawTensors raw = CountingFloats(12);
  const auto slice = ReadTensor(raw, {.shape = {2, 2}, .strides = {4, 2}, .byte_offset = 5 * 4});
  ASSERT_TRUE(slice.ok()) << slice.status();
  EXPECT_THAT(slice->values, ElementsAre(5, 7, 9, 11));
}

TEST(ReadTensorTest, RepeatsAnElementWhoseStrideIsZero) {
  const auto repeated = ReadTensor(CountingFloats(2), {.shape = {2, 2}, .strides = {1, 0}});
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_THAT(repeated->values, ElementsAre(0, 0, 1, 1));
}

TEST(ReadTensorTest, ReadsScalarsAndEmptyTensors) {
  const auto scalar = ReadTensor(CountingFloats(2), {.byte_offset = 4});
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_THAT(scalar->values, ElementsAre(1));
  const auto empty = ReadTensor(CountingFloats(0), {.shape = {0, 5}, .strides = {5, 1}});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->values.empty());
}

TEST(ReadTensorTest, ConvertsEveryElementType) {
  const auto read = [](ElementType type, const std::string& bytes) {
    return ReadTensor(OneStorage(bytes), {.type = type, .shape = {2}, .strides = {1}})->values;
  };
  EXPECT_THAT(read(ElementType::kF32, test::LittleEndian(1.5f) + test::LittleEndian(-2.f)),
              ElementsAre(1.5f, -2.f));
  EXPECT_THAT(read(ElementType::kF64, test::LittleEndian(0.1) + test::LittleEndian(1e300)),
              ElementsAre(0.1f, INFINITY));
  EXPECT_THAT(read(ElementType::kF16, "\x00\x3e\x00\xc0"s), ElementsAre(1.5f, -2.f));
  EXPECT_THAT(read(ElementType::kBF16, "\xc0\x3f\x00\xc0"s), ElementsAre(1.5f, -2.f));
}

TEST(HalfToFloatTest, IsExactForEveryValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = bits >> 10 & 0x1f;
    const int fraction = bits & 0x3ff;
    const double sign = bits & 0x8000 ? -1 : 1;
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    ASSERT_EQ(std::signbit(value), sign < 0) << bits;
    if (exponent == 0x1f) {
      ASSERT_EQ(std::isinf(value), fraction == 0) << bits;
      ASSERT_EQ(std::isnan(value), fraction != 0) << bits;
    } else if (exponent == 0) {
      ASSERT_EQ(value, sign * std::ldexp(fraction, -24)) << bits;
    } else {
      ASSERT_EQ(value, sign * std::ldexp(1024 + fraction, exponent - 25)) << bits;
    }
  }
}

struct OutsideCase {
  const char* name;
  TensorEntry entry;  // In a storage of 16 floats.
};

class OutsideTest : public testing::TestWithParam<OutsideCase> {};

TEST_P(OutsideTest, IsRefused) {
  const auto tensor = ReadTensor(CountingFloats(16), GetParam().entry);
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(tensor.status().message()), HasSubstr("outside its storage of 64 bytes"));
}

constexpr int64_t kHuge = INT64_MAX;

INSTANTIATE_TEST_SUITE_P(
    , OutsideTest,
    testing::Values(
        OutsideCase{"OneElementTooMany", {.shape = {17}, .strides = {1}}},
        OutsideCase{"OffsetPushesTheLastOut", {.shape = {16}, .strides = {1}, .byte_offset = 4}},
        OutsideCase{"OffsetWithinTheLastElement", {.byte_offset = 61}},
        OutsideCase{"OffsetAtTheEnd", {.byte_offset = 64}},
        OutsideCase{"OffsetPastTheEnd", {.shape = {1}, .strides = {1}, .byte_offset = UINT64_MAX}},
        OutsideCase{"StrideTooWide", {.shape = {4, 4}, .strides = {5, 1}}},
        OutsideCase{"StrideTimesSizeOverflows", {.shape = {5, 2}, .strides = {kHuge / 2 + 1, 1}}},
        OutsideCase{"SumOfStridesOverflows", {.shape = {2, 2}, .strides = {kHuge, kHuge}}},
        OutsideCase{"SizeOverflows", {.shape = {kHuge, kHuge}, .strides = {1, 1}}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(PrintableTest, EscapesAndCuts) {
  EXPECT_EQ(Printable("a\n\xff"), "a\\n\\xff");
  EXPECT_LT(Printable(std::string(100'000, 'x')).size(), 200);
}

}  // namespace
}  // namespace bitplex::checkpoint
