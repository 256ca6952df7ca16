#include "model_store/checkpoint/torch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/checkpoint_files.h"

namespace bitplex::checkpoint {
namespace {

using test::PickleBytes;
using test::PickleDict;
using test::PickleGlobal;
using test::PickleObject;
using test::PickleTensor;
using test::PickleText;
using test::PickleTuple;
using test::TorchFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Storage "0": the floats 0, 1, 2, 3.
const std::map<std::string, std::string>& FourFloats() {
  static const std::map<std::string, std::string> storages = {
      {"0", test::LittleEndian(0.f) + test::LittleEndian(1.f) + test::LittleEndian(2.f) +
                test::LittleEndian(3.f)}};
  return storages;
}

std::string FourFloatTensor() { return PickleTensor({"0", {4}, {1}, 4}); }

std::string FileWith(const std::string& code) { return TorchFile(PickleBytes(code), FourFloats()); }

struct FormCase {
  const char* name;
  std::string code;
  std::vector<std::string> tensors;
};

class FormTest : public testing::TestWithParam<FormCase> {};

TEST_P(FormTest, TensorsAreFound) {
  const std::string file = FileWith(GetParam().code);
  const auto raw = ReadTorchArchive(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  std::vector<std::string> names;
  for (const auto& [name, entry] : raw->entries) {
    names.push_back(name);
    EXPECT_THAT(ReadTensor(*raw, entry)->values, ElementsAre(0, 1, 2, 3));
  }
  EXPECT_EQ(names, GetParam().tensors);
}

std::string Module(const std::string& parameters, const std::string& modules) {
  return PickleObject("Net", PickleDict({{"_parameters", parameters},
                                         {"_buffers", "}"},
                                         {"_modules", modules},
                                         {"training", "\x88"}}));
}

INSTANTIATE_TEST_SUITE_P(
    , FormTest,
    testing::Values(
        FormCase{"StateDict", PickleDict({{"a.b", FourFloatTensor()}, {"epoch", "K\1"}}), {"a.b"}},
        FormCase{"OrderedStateDict",
                 PickleGlobal("collections", "OrderedDict") + ")R(" + PickleText("a") +
                     FourFloatTensor() + "u" + PickleDict({{"_metadata", "}"}}) + "b",
                 {"a"}},
        FormCase{"NestedBesideATensor",
                 PickleDict({{"acc", FourFloatTensor()},
                             {"net", PickleDict({{"a", FourFloatTensor()}})}}),
                 {"a"}},
        FormCase{"NestedBesideOtherObjects",
                 PickleDict({{"args", PickleObject("Namespace", PickleDict({{"lr", "K\1"}}))},
                             {"optimizer", PickleDict({{"state", "}"}})},
                             {"state_dict", PickleDict({{"a", FourFloatTensor()}})}}),
                 {"a"}},
        FormCase{"Parameter",
                 PickleDict({{"a", PickleGlobal("torch._utils", "_rebuild_parameter") +
                                       PickleTuple({FourFloatTensor(), "\x88", "}"}) + "R"}}),
                 {"a"}},
        FormCase{
            "WholeModule",
            Module(PickleDict({{"a", FourFloatTensor()}, {"bias", "N"}}),
                   PickleDict({{"layer", Module(PickleDict({{"b", FourFloatTensor()}}), "}")}})),
            {"a", "layer.b"}},
        FormCase{"NestedWholeModule",
                 PickleDict({{"model", Module(PickleDict({{"a", FourFloatTensor()}}), "}")}}),
                 {"a"}},
        FormCase{
            "TorchScript",
            PickleObject(
                "Net",
                PickleDict(
                    {{"training", "\x89"},
                     {"a", FourFloatTensor()},
                     {"layer",
                      PickleObject(
                          "Layer",
                          PickleDict({{"0",
                                       PickleObject("Conv",
                                                    PickleDict({{"b", FourFloatTensor()}}))}}))}})),
            {"a", "layer.0.b"}},
        FormCase{"BatchCounterOfIntegers",
                 PickleDict({{"a", FourFloatTensor()},
                             {"bn1.num_batches_tracked",
                              PickleTensor({"0", {}, {}, 1, 0, "LongStorage"})}}),
                 {"a"}}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(TorchArchiveTest, ReadsStridesAndOffsets) {
  const std::string file = FileWith(PickleDict({{"a", PickleTensor({"0", {2}, {2}, 4, 1})}}));
  const auto raw = ReadTorchArchive(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_THAT(ReadTensor(*raw, raw->entries.at("a"))->values, ElementsAre(1, 3));
}

TEST(TorchArchiveTest, DamagedStorageIsFoundWhenItIsRead) {
  const std::string file =
      test::ZipBytes({{"net/data.pkl", PickleBytes(PickleDict({{"a", FourFloatTensor()}}))},
                      {"net/data/0", FourFloats().at("0"), /*crc_error=*/1}});
  const auto raw = ReadTorchArchive(test::Bytes(file));
  ASSERT_TRUE(raw.ok()) << raw.status();
  const auto tensor = ReadTensor(*raw, raw->entries.at("a"));
  EXPECT_EQ(tensor.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(tensor.status().message()), HasSubstr("net/data/0"));
  EXPECT_THAT(std::string(tensor.status().message()), HasSubstr("CRC"));
}

struct DamagedCase {
  const char* name;
  std::string file;
  absl::StatusCode code;
  const char* fault;
};

class DamagedArchiveTest : public testing::TestWithParam<DamagedCase> {};

TEST_P(DamagedArchiveTest, IsRefused) {
  const auto raw = ReadTorchArchive(test::Bytes(GetParam().file));
  EXPECT_EQ(raw.status().code(), GetParam().code);
  EXPECT_THAT(std::string(raw.status().message()), HasSubstr(GetParam().fault));
}

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kInvalidArgument;

std::string WithTensor(const std::string& tensor) { return FileWith(PickleDict({{"a", tensor}})); }

std::string WithRebuildArguments(const std::string& arguments) {
  return WithTensor(PickleGlobal("torch._utils", "_rebuild_tensor_v2") + arguments + "R");
}

std::string WithStorage(const std::string& identifier) {
  return WithRebuildArguments(PickleTuple({identifier, test::PickleInt(0), ")", ")"}));
}

std::string Whole() { return WithTensor(FourFloatTensor()); }

// A module that is its own child.
std::string Cycle() {
  return PickleGlobal("a", "B") + ")\x81q\x01" + "}" + PickleText("child") + "h\x01s" + "b";
}

// Modules within modules, a tensor in the innermost.
std::string Chain(int modules) {
  std::string code = PickleObject("Leaf", PickleDict({{"a", FourFloatTensor()}}));
  for (int i = 1; i < modules; ++i) {
    code +=
        "q\x01"
        "0" +
        PickleObject("Net", PickleDict({{"m", "h\x01"}}));
  }
  return code;
}

// Each module holds the next twice: 2^40 paths in a few hundred bytes.
std::string Diamonds() {
  std::string code = PickleObject("Leaf", "}");
  for (int level = 0; level < 40; ++level) {
    code +=
        "q\x01"
        "0" +
        PickleObject("Net", PickleDict({{"l", "h\x01"}, {"r", "h\x01"}}));
  }
  return code;
}

INSTANTIATE_TEST_SUITE_P(
    , DamagedArchiveTest,
    testing::Values(
        DamagedCase{"ZipCut", Whole().substr(0, Whole().size() / 2), kDamaged,
                    "zip file is damaged"},
        DamagedCase{"ZipWithoutDirectory", "PK\3\4", kDamaged, "zip file is damaged"},
        DamagedCase{"NoDataPkl", test::ZipBytes({{"x.npy", "x"}}), kUnfit, "it has no data.pkl"},
        DamagedCase{"TwoPickles", test::ZipBytes({{"a/data.pkl", "N."}, {"b/data.pkl", "N."}}),
                    kDamaged, "two files data.pkl"},
        DamagedCase{"EntryTwice", test::ZipBytes({{"a/data.pkl", "N."}, {"a/data.pkl", "N."}}),
                    kDamaged, "holds entry a/data.pkl twice"},
        DamagedCase{"OldTorchScript", test::ZipBytes({{"net/model.json", "{}"}}), kUnfit,
                    "TorchScript archive of PyTorch before 1.4"},
        DamagedCase{"BigEndian", test::ZipBytes({{"net/data.pkl", "N."}, {"net/byteorder", "big"}}),
                    kUnfit, "byte order big"},
        DamagedCase{"CompressedPickle", test::ZipBytes({{"net/data.pkl", "N.", 0, /*method=*/8}}),
                    kUnfit, "compressed or encrypted"},
        DamagedCase{"ChecksumWrong", test::ZipBytes({{"net/data.pkl", "N.", /*crc_error=*/1}}),
                    kDamaged, "CRC"},
        DamagedCase{"EntryLargerThanTheFile",
                    test::ZipBytes({{"net/data.pkl", "N.", 0, 0, /*extra_size=*/0x7fffffff}}),
                    kDamaged, "the whole file has"},
        DamagedCase{"PickleDamaged", FileWith("R"), kDamaged, "stack underflow"},
        DamagedCase{"NoStateDict", FileWith(PickleDict({{"epoch", "K\1"}})), kUnfit,
                    "holds no state dict (its keys: epoch)"},
        DamagedCase{"OnlyANumber", FileWith("K\1"), kUnfit, "holds no state dict"},
        DamagedCase{"CycleOfModules", FileWith(Cycle()), kUnfit, "nested deeper"},
        DamagedCase{"ChainOfModules", FileWith(Chain(66)), kUnfit, "nested deeper"},
        DamagedCase{"EndlessPaths", FileWith(Diamonds()), kUnfit, "more in number"},
        DamagedCase{"StorageMissing", WithTensor(PickleTensor({"7", {4}, {1}, 4})), kDamaged,
                    "the storage net/data/7 of tensor a is missing"},
        DamagedCase{"StorageTooShort", WithTensor(PickleTensor({"0", {4}, {1}, 5})), kDamaged,
                    "has 16 bytes, too few for its 5 elements of 4 bytes"},
        DamagedCase{"StorageSizeOverflows", WithTensor(PickleTensor({"0", {4}, {1}, INT64_MAX})),
                    kDamaged, "too few"},
        DamagedCase{"StorageSizeNegative", WithTensor(PickleTensor({"0", {4}, {1}, -1})), kDamaged,
                    "no type, key and size"},
        DamagedCase{"TensorTwice",
                    FileWith(PickleDict({{"a", FourFloatTensor()}, {"a", FourFloatTensor()}})),
                    kDamaged, "tensor a is listed twice"},
        DamagedCase{"NegativeSize", WithTensor(PickleTensor({"0", {-4}, {1}, 4})), kDamaged,
                    "sizes and strides"},
        DamagedCase{"NegativeStride", WithTensor(PickleTensor({"0", {4}, {-1}, 4})), kDamaged,
                    "sizes and strides"},
        DamagedCase{"StrideMissing", WithTensor(PickleTensor({"0", {2, 2}, {1}, 4})), kDamaged,
                    "sizes and strides"},
        DamagedCase{"TooManyAxes",
                    WithTensor(PickleTensor({"0", std::vector<int64_t>(17, 1),
                                             std::vector<int64_t>(17, 1), 4})),
                    kDamaged, "sizes and strides"},
        DamagedCase{"NegativeOffset", WithTensor(PickleTensor({"0", {1}, {1}, 4, -1})), kDamaged,
                    "its offset"},
        DamagedCase{"OffsetOverflows", WithTensor(PickleTensor({"0", {1}, {1}, 4, INT64_MAX})),
                    kDamaged, "beyond any file"},
        DamagedCase{"RebuiltFromNothing", WithRebuildArguments(")"), kDamaged, "not rebuilt from"},
        DamagedCase{"RebuiltFromANumber", WithRebuildArguments("K\1"), kDamaged,
                    "not rebuilt from"},
        DamagedCase{"NoStorage", WithStorage("N"), kDamaged, "names no storage"},
        DamagedCase{"StorageIdentifierIsANumber", WithStorage("K\1Q"), kDamaged, "no identifier"},
        DamagedCase{"StorageWithoutType", WithStorage(PickleTuple({"N", "N", "N", "N", "N"}) + "Q"),
                    kDamaged, "no type, key and size"},
        DamagedCase{"Integers", WithTensor(PickleTensor({"0", {2}, {1}, 2, 0, "LongStorage"})),
                    kUnfit, "tensor a is held in torch.LongStorage"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace bitplex::checkpoint
