#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "model_store/calibrate/calibration.h"
#include "model_store/checkpoint/digest.h"
#include "model_store/dataset/cifar.h"
#include "server/image/normalize.h"
#include "tests/executor/networks.h"

namespace bitplex::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Gt;
using testing::HasSubstr;

constexpr size_t kImages = 11;  // One batch of 8 and a rest.
constexpr size_t kClasses = 10;

class CalibrateTest : public testing::Test {
 protected:
  void SetUp() override { WriteCifar(path_, kImages, kClasses, 40); }
  void TearDown() override { std::remove(path_.c_str()); }

  FuseTask MadeTask(bool channel_exponents = false) const {
    return BalancedTask(
        arch_, {.bits = 7, .classes = kClasses, .channel_exponents = channel_exponents, .seed = 5});
  }
  absl::Status Run(FuseTask& task, ScaleMethod method = ScaleMethod::kMse, size_t images = 500) {
    CalibrationSpec spec;
    spec.path = path_;
    spec.images = images;
    spec.method = method;
    return Calibrate(LoadedExecutor("onednn"), arch_, spec, task);
  }
  // The largest absolute value of each activation of the fused network on the file's images.
  std::vector<float> LargestActivations(const FuseTask& task) const {
    const auto images = ReadCifar(path_, kClasses, 0);
    EXPECT_TRUE(images.ok()) << images.status();
    std::vector<float> input(images->rgb.size());
    NormalizeRgb8(images->rgb, task.info.mean, task.info.std, absl::MakeSpan(input));
    const auto network =
        Prepared(LoadedExecutor("onednn"), Stored(arch_, task), Precision::kFloat32);
    std::vector<float> largest(arch_.convs.size() + 1);
    const auto weights = network->Pack();
    EXPECT_TRUE(weights.ok()) << weights.status();
    const absl::Status status = network->Observe(
        **weights, input, kImages, [&](size_t index, absl::Span<const float> seen) {
          for (const float value : seen) {
            largest[index] = std::max(largest[index], std::fabs(value));
          }
        });
    EXPECT_TRUE(status.ok()) << status;
    return largest;
  }

  const Architecture& arch_ = TinyArch();
  const std::string path_ = TempPath("calibrate.bin");
};

// So the weights are rounded as fusing rounds them, all images are seen, and signed activations
// have 127 levels.
TEST_F(CalibrateTest, MaximaAreThoseOfTheFusedNetworkToTheBit) {
  for (const bool channel_exponents : {false, true}) {
    FuseTask task = MadeTask(channel_exponents);
    ASSERT_TRUE(Run(task, ScaleMethod::kMax).ok());
    const std::vector<float> largest = LargestActivations(task);
    std::vector<float> expected;
    for (size_t a = 0; a < largest.size(); ++a) {
      const bool is_downsample =
          a > 0 && arch_.convs[a - 1].name.find("downsample") != std::string::npos;
      expected.push_back(largest[a] / (a == 0 || is_downsample ? 127.0f : 255.0f));
    }
    EXPECT_EQ(task.info.activation_scales, expected) << "channel exponents " << channel_exponents;
  }
}

TEST_F(CalibrateTest, OtherMethodsClipAndNeverWiden) {
  FuseTask widest = MadeTask();
  ASSERT_TRUE(Run(widest, ScaleMethod::kMax).ok());
  for (const ScaleMethod method : {ScaleMethod::kMse, ScaleMethod::kPercentile}) {
    FuseTask task = MadeTask();
    ASSERT_TRUE(Run(task, method).ok());
    ASSERT_EQ(task.info.activation_scales.size(), arch_.convs.size() + 1);
    EXPECT_NE(task.info.activation_scales, widest.info.activation_scales);
    EXPECT_THAT(task.info.activation_scales, Each(Gt(0)));
    for (size_t a = 0; a < task.info.activation_scales.size(); ++a) {
      EXPECT_LE(task.info.activation_scales[a], widest.info.activation_scales[a] * 1.0001f) << a;
    }
  }
}

TEST_F(CalibrateTest, WritesDownWhatWasMeasuredOn) {
  FuseTask task = MadeTask();
  ASSERT_TRUE(Run(task, ScaleMethod::kPercentile, 9).ok());
  const std::vector<uint8_t> bytes = ReadBytes(path_);
  const auto digest = checkpoint::Sha256(bytes);
  ASSERT_TRUE(digest.ok()) << digest.status();
  const std::map<std::string, std::string> expected = {
      {"images", "9"}, {"images_sha256", *digest}, {"method", "percentile"}};
  EXPECT_EQ(task.info.calibration, expected);
}

TEST_F(CalibrateTest, AFileWithFewerImagesGivesTheirTrueNumber) {
  FuseTask task = MadeTask();
  ASSERT_TRUE(Run(task, ScaleMethod::kMse, 500).ok());
  EXPECT_EQ(task.info.calibration.at("images"), std::to_string(kImages));
}

TEST_F(CalibrateTest, FewerImagesAreAnotherMeasurement) {
  FuseTask all = MadeTask(), one = MadeTask();
  ASSERT_TRUE(Run(all).ok());
  ASSERT_TRUE(Run(one, ScaleMethod::kMse, 1).ok());
  EXPECT_NE(all.info.activation_scales, one.info.activation_scales);
}

TEST_F(CalibrateTest, MeasuringAgainReplacesTheScales) {
  FuseTask once = MadeTask(), twice = MadeTask();
  ASSERT_TRUE(Run(once).ok());
  ASSERT_TRUE(Run(twice, ScaleMethod::kMax, 3).ok());
  ASSERT_TRUE(Run(twice).ok());
  EXPECT_EQ(twice.info.activation_scales, once.info.activation_scales);
  EXPECT_EQ(twice.info.calibration, once.info.calibration);
}

TEST_F(CalibrateTest, AnotherInputSizeIsRefused) {
  FuseTask task = MadeTask();
  CalibrationSpec spec;
  spec.path = path_;
  const absl::Status status =
      Calibrate(LoadedExecutor("onednn"), Arch("resnet18-imagenet"), spec, task);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("32 x 32"), HasSubstr("224 x 224"), HasSubstr("resnet18-imagenet")));
}

TEST_F(CalibrateTest, AMissingFileIsNamed) {
  std::remove(path_.c_str());
  FuseTask task = MadeTask();
  const absl::Status status = Run(task);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
}

// The weights of a checkpoint are finite; what they make of an image need not be.
TEST_F(CalibrateTest, ActivationsThatOverflowAreRefusedByTheirTaskAndLayer) {
  FuseTask task = MadeTask();
  for (float& weight : task.checkpoint.tensors.at("layer1.0.conv1.weight").values) {
    weight *= 1e38f;
    weight *= 5;
  }
  const absl::Status status = Run(task);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("'a'"), HasSubstr("layer1.0.conv1"), HasSubstr("not finite")));
  EXPECT_TRUE(task.info.activation_scales.empty());
}

}  // namespace
}  // namespace bitplex::test
