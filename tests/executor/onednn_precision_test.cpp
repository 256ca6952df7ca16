// How far the narrow types are from float32, on activation scales that were really measured.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/executor/networks.h"

namespace bitplex::test {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

constexpr size_t kClasses = 10;
constexpr size_t kImages = 24;

struct Budget {
  const char* name;
  const char* arch;
  unsigned bits;
  Precision precision;
  double least, most;  // Of RelativeLogitError.
};

// Half and twice of what was measured, which differs little between instruction sets. Trained
// networks lose less: what tells two images apart is small in the outputs of a random one.
constexpr Budget kBudgets[] = {
    {"TinyBfloat16", "resnet10-tiny", 8, Precision::kBfloat16, 0.0071, 0.0283},        // 0.01417
    {"TinyBfloat16Rounded", "resnet10-tiny", 12, Precision::kBfloat16, 0.014, 0.056},  // 0.0281
    {"TinyInt8", "resnet10-tiny", 7, Precision::kInt8, 0.0275, 0.11},                  // 0.0549
    {"TinyInt8Rounded", "resnet10-tiny", 12, Precision::kInt8, 0.038, 0.15},           // 0.0756
    {"CifarBfloat16", "resnet18-cifar", 8, Precision::kBfloat16, 0.007, 0.028},        // 0.0137
    {"CifarInt8", "resnet18-cifar", 7, Precision::kInt8, 0.037, 0.15},                 // 0.0728
};

class PrecisionTest : public testing::TestWithParam<Budget> {};

TEST_P(PrecisionTest, StaysNearFloat32) {
  const Executor& onednn = LoadedExecutor("onednn");
  if (const absl::Status status = onednn.Supports(GetParam().precision); !status.ok()) {
    GTEST_SKIP() << status;
  }
  const Architecture& arch = Arch(GetParam().arch);
  const FuseTask task = Calibrated(
      onednn, arch, BalancedTask(arch, {.bits = GetParam().bits, .classes = kClasses, .seed = 4}));
  const auto source = Stored(arch, task);
  const std::vector<float> images = RandomImages(arch, kImages, 900);
  const std::vector<float> exact =
      Logits(*Prepared(onednn, source, Precision::kFloat32), kClasses, images, kImages);
  const std::vector<float> narrow =
      Logits(*Prepared(onednn, source, GetParam().precision), kClasses, images, kImages);
  const double error = RelativeLogitError(narrow, exact, kClasses);
  RecordProperty("relative_error", absl::StrCat(error));
  EXPECT_THAT(error, AllOf(Ge(GetParam().least), Le(GetParam().most)));
}

INSTANTIATE_TEST_SUITE_P(Budgets, PrecisionTest, testing::ValuesIn(kBudgets),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace bitplex::test
