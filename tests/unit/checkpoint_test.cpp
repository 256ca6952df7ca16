#include "model_store/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "model_store/checkpoint/checkpoint_bytes.h"
#include "tests/unit/checkpoint_files.h"

namespace bitplex {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

const Architecture& Tiny() { return **FindArchitecture("resnet10-tiny"); }

absl::StatusOr<Checkpoint> Read(const std::string& file) {
  return checkpoint::ReadCheckpointBytes(test::Bytes(file), Tiny());
}
absl::StatusOr<Checkpoint> Read(const test::Tensors& tensors) {
  return Read(test::SafetensorsFile(tensors));
}

void ExpectTensors(const Checkpoint& read, const test::Tensors& expected) {
  ASSERT_EQ(read.tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(read.tensors.contains(name)) << name;
    EXPECT_EQ(read.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.tensors.at(name).values, tensor.values) << name;
  }
}

template <typename T>
void ExpectError(const absl::StatusOr<T>& result, absl::StatusCode code, const std::string& fault) {
  EXPECT_EQ(result.status().code(), code);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(fault));
}

constexpr absl::StatusCode kUnfit = absl::StatusCode::kInvalidArgument;

// Files.

std::string FixturePath(const std::string& name) {
  return std::string(BITPLEX_TEST_DATA_DIR "/checkpoints/") + name;
}

std::string TempPath(const std::string& name) {
  return testing::TempDir() + "checkpoint_test_" + name;
}

std::string WriteTemp(const std::string& name, const std::string& bytes) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

class PyTorchFileTest : public testing::TestWithParam<const char*> {};

TEST_P(PyTorchFileTest, HoldsTheValuesThatPyTorchWrote) {
  const std::string path = FixturePath(GetParam());
  const auto arch = DetectArchitecture(path);
  ASSERT_TRUE(arch.ok()) << arch.status();
  EXPECT_EQ((*arch)->name, "resnet10-tiny");
  const auto read = ReadCheckpoint(path, **arch);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->classes, 10);
  EXPECT_EQ(read->file_name, GetParam());
  EXPECT_EQ(read->sha256.size(), 64);
  ExpectTensors(*read, test::TinyNetwork());
}

INSTANTIATE_TEST_SUITE_P(, PyTorchFileTest,
                         testing::Values("state_dict_f32.pt", "nested_cifar_f16.pt",
                                         "channels_last_f16.pt", "state_dict_bf16.pt",
                                         "traced_f16.pt", "scripted_f16.pt"),
                         [](const auto& test_case) {
                           const std::string name = test_case.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(ReadCheckpointTest, ReadsASafetensorsFile) {
  const std::string path = WriteTemp(
      "a.safetensors", test::SafetensorsFile(test::TinyNetwork(7), R"({"task":"digits"})"));
  const auto read = ReadCheckpoint(path, Tiny());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->classes, 7);
  EXPECT_EQ(read->file_name, "checkpoint_test_a.safetensors");
  EXPECT_THAT(read->metadata, ElementsAre(Pair("task", "digits")));
  ExpectTensors(*read, test::TinyNetwork(7));
}

TEST(ReadCheckpointTest, DigestIsThatOfTheFile) {
  const auto read = ReadCheckpoint(FixturePath("state_dict_f32.pt"), Tiny());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sha256, "4dbbdf7d5ee4060c9e4b6748130447abef7be06449c8435450ad9e9a76aa1aab");
}

struct NoFileCase {
  const char* name;
  std::string (*make)();
  absl::StatusCode code;
  const char* fault;
};

class NoCheckpointFileTest : public testing::TestWithParam<NoFileCase> {};

TEST_P(NoCheckpointFileTest, IsRefusedWithItsPath) {
  const std::string path = GetParam().make();
  const auto read = ReadCheckpoint(path, Tiny());
  ExpectError(read, GetParam().code, GetParam().fault);
  EXPECT_THAT(std::string(read.status().message()), StartsWith(path + ": "));
  EXPECT_EQ(DetectArchitecture(path).status(), read.status());
}

INSTANTIATE_TEST_SUITE_P(
    , NoCheckpointFileTest,
    testing::Values(
        NoFileCase{"Missing", [] { return TempPath("missing"); }, absl::StatusCode::kNotFound,
                   "cannot open"},
        NoFileCase{"Directory", [] { return testing::TempDir(); }, kUnfit, "is a directory"},
        NoFileCase{"Pipe",
                   [] {
                     const std::string path = TempPath("pipe");
                     std::filesystem::remove(path);
                     EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
                     return path;
                   },
                   kUnfit, "is not a regular file"},
        NoFileCase{"Empty", [] { return WriteTemp("empty", ""); }, absl::StatusCode::kDataLoss,
                   "is empty"},
        NoFileCase{"Text", [] { return WriteTemp("text", "Hello, checkpoint"); }, kUnfit,
                   "is no checkpoint"},
        NoFileCase{"TooShort", [] { return WriteTemp("short", "P"); }, kUnfit, "is no checkpoint"},
        NoFileCase{"LegacyPyTorch",
                   [] {
                     return WriteTemp("legacy",
                                      "\x80\x02\x8a\nl\xfc\x9c"
                                      "F\xf9 j\xa8P\x19.");
                   },
                   kUnfit, "save it again with torch.save of PyTorch 1.6 or newer"}),
    [](const auto& test_case) { return test_case.param.name; });

// Names.

class PrefixTest : public testing::TestWithParam<const char*> {};

TEST_P(PrefixTest, IsStripped) {
  test::Tensors prefixed;
  for (const auto& [name, tensor] : test::TinyNetwork()) prefixed[GetParam() + name] = tensor;
  const auto read = Read(prefixed);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectTensors(*read, test::TinyNetwork());
}

INSTANTIATE_TEST_SUITE_P(, PrefixTest,
                         testing::Values("module.", "model.", "_orig_mod.", "module.module.",
                                         "model._orig_mod.module."));

TEST(NamesTest, PrefixOfSomeNamesStays) {
  test::Tensors tensors = test::TinyNetwork();
  tensors["module.fc.bias"] = tensors["fc.bias"];
  tensors.erase("fc.bias");
  ExpectError(Read(tensors), kUnfit, "fc.bias is missing");
}

TEST(NamesTest, CifarNamesBecomeTorchvisions) {
  test::Tensors tensors = test::TinyNetwork();
  const auto rename = [&tensors](const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    node.key() = to;
    tensors.insert(std::move(node));
  };
  rename("fc.weight", "linear.weight");
  rename("fc.bias", "linear.bias");
  rename("layer2.0.downsample.0.weight", "layer2.0.shortcut.0.weight");
  rename("layer2.0.downsample.1.bias", "layer2.0.shortcut.1.bias");
  const auto read = Read(tensors);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectTensors(*read, test::TinyNetwork());
}

TEST(NamesTest, TwoNamesForOneTensorAreRefused) {
  test::Tensors tensors = test::TinyNetwork();
  tensors["linear.bias"] = tensors["fc.bias"];
  ExpectError(Read(tensors), kUnfit, "fc.bias and linear.bias are both read as fc.bias");
}

TEST(NamesTest, BatchCountersAreDropped) {
  test::Tensors tensors = test::TinyNetwork();
  tensors["bn1.num_batches_tracked"] = {{}, {1}};
  const auto read = Read(tensors);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectTensors(*read, test::TinyNetwork());
}

// What does not fit the architecture.

struct UnfitCase {
  const char* name;
  void (*change)(test::Tensors&);
  const char* fault;
};

class UnfitTest : public testing::TestWithParam<UnfitCase> {};

TEST_P(UnfitTest, IsRefusedByName) {
  test::Tensors tensors = test::TinyNetwork();
  GetParam().change(tensors);
  const auto read = Read(tensors);
  ExpectError(read, kUnfit, GetParam().fault);
  EXPECT_THAT(std::string(read.status().message()), Not(HasSubstr("the file fits")));
}

INSTANTIATE_TEST_SUITE_P(
    , UnfitTest,
    testing::Values(
        UnfitCase{
            "MissingConvolution", [](auto& net) { net.erase("layer3.0.conv2.weight"); },
            "layer3.0.conv2.weight is missing: resnet10-tiny has 62 tensors, the file holds 61"},
        UnfitCase{"MissingVariance", [](auto& net) { net.erase("bn1.running_var"); },
                  "bn1.running_var is missing"},
        UnfitCase{"MissingClassifier", [](auto& net) { net.erase("fc.weight"); }, "fc.weight"},
        UnfitCase{"MissingClassifierBias", [](auto& net) { net.erase("fc.bias"); },
                  "fc.bias is missing"},
        UnfitCase{"Extra",
                  [](auto& net) {
                    net["conv1.bias"] = {{8}, std::vector<float>(8)};
                  },
                  "conv1.bias, (8), is no tensor of resnet10-tiny"},
        UnfitCase{"Misshapen",
                  [](auto& net) {
                    net["layer1.0.conv1.weight"].shape = {8, 8, 9};
                  },
                  "layer1.0.conv1.weight is (8,8,9), resnet10-tiny expects (8,8,3,3)"},
        UnfitCase{"Transposed",
                  [](auto& net) {
                    net["layer2.0.conv1.weight"].shape = {8, 16, 3, 3};
                  },
                  "layer2.0.conv1.weight is (8,16,3,3), resnet10-tiny expects (16,8,3,3)"},
        UnfitCase{"OtherFeatures",
                  [](auto& net) {
                    net["fc.weight"].shape = {20, 32};
                  },
                  "fc.weight is (20,32), resnet10-tiny expects (1 to 100000 classes,64)"},
        UnfitCase{"NoClasses",
                  [](auto& net) {
                    net["fc.weight"] = {{0, 64}, {}};
                    net["fc.bias"] = {{0}, {}};
                  },
                  "fc.weight is (0,64)"},
        UnfitCase{"BiasOfOtherClasses",
                  [](auto& net) {
                    net["fc.bias"] = {{9}, std::vector<float>(9)};
                  },
                  "fc.bias is (9), resnet10-tiny expects (10)"},
        UnfitCase{"NotANumber",
                  [](auto& net) { net["layer1.0.conv1.weight"].values[8 * 9 * 2 + 13] = NAN; },
                  "layer1.0.conv1.weight[2,1,1,1] is nan"},
        UnfitCase{"Infinity", [](auto& net) { net["fc.bias"].values[9] = -INFINITY; },
                  "fc.bias[9] is -inf"},
        UnfitCase{"NegativeVariance", [](auto& net) { net["bn1.running_var"].values[3] = -0.25f; },
                  "bn1.running_var[3] is -0.25, a negative variance"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(ClassesTest, AreBounded) {
  // Strides of zero let a small file claim a classifier of any size.
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& [name, tensor] : test::TinyNetwork()) {
    std::vector<int64_t> shape = tensor.shape;
    if (name.starts_with("fc.")) shape[0] = 100'001;
    const std::vector<int64_t> strides(shape.size(), 0);
    items.emplace_back(name, test::PickleTensor({"0", shape, strides, 1}));
  }
  const std::string file = test::TorchFile(test::PickleBytes(test::PickleDict(items)),
                                           {{"0", test::LittleEndian(0.5f)}});
  ExpectError(Read(file), kUnfit, "fc.weight is (100001,64)");
}

TEST(ReadCheckpointTest, OverflowToInfinityIsRefused) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& [name, tensor] : test::TinyNetwork()) {
    const std::vector<int64_t> strides(tensor.shape.size(), 0);
    items.emplace_back(name,
                       test::PickleTensor({"0", tensor.shape, strides, 1, 0, "DoubleStorage"}));
  }
  const std::string file = test::TorchFile(test::PickleBytes(test::PickleDict(items)),
                                           {{"0", test::LittleEndian(1e39)}});
  ExpectError(Read(file), kUnfit, "bn1.bias[0] is inf as float32");
}

TEST(ReadCheckpointTest, NamesTheArchitectureThatFits) {
  const std::string file = test::SafetensorsFile(test::TinyNetwork());
  const auto read =
      checkpoint::ReadCheckpointBytes(test::Bytes(file), **FindArchitecture("resnet18-imagenet"));
  ExpectError(read, kUnfit, "conv1.weight is (8,3,3,3), resnet18-imagenet expects (64,3,7,7)");
  EXPECT_THAT(std::string(read.status().message()), EndsWith("the file fits resnet10-tiny"));
}

TEST(DetectArchitectureTest, SaysWhyNoneFits) {
  test::Tensors tensors = test::TinyNetwork();
  tensors.erase("bn1.bias");
  const std::string file = test::SafetensorsFile(tensors);
  const auto arch = checkpoint::DetectArchitectureBytes(test::Bytes(file));
  ExpectError(arch, kUnfit, "fits no known architecture");
  ExpectError(arch, kUnfit, "not resnet18-cifar: conv1.weight is (8,3,3,3)");
  ExpectError(arch, kUnfit, "not resnet10-tiny: bn1.bias is missing");
}

}  // namespace
}  // namespace bitplex
