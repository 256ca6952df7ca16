// Batch norms against the formula in double precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/executor/onednn/folded.h"
#include "tests/executor/networks.h"

namespace bitplex::onednn {
namespace {

constexpr size_t kGammaZero = 2;
constexpr size_t kGammaNegative = 3;
constexpr size_t kGammaTiny = 4;
constexpr size_t kNoWeights = 5;  // A channel whose weights are all nought.
constexpr double kTolerance = 2e-6;

// What y = (x - mean) / sqrt(var + epsilon) * gamma + beta makes of x: factor * x + offset.
struct Line {
  double factor;
  double offset;
};

class FoldedTest : public testing::Test {
 protected:
  FoldedTest() {
    for (const ConvLayer& layer : arch_.convs) {
      std::vector<float>& gamma = Values(layer.batch_norm + ".weight");
      gamma[kGammaZero] = 0;
      gamma[kGammaNegative] = -0.75f;
      gamma[kGammaTiny] = 1e-30f;
      std::vector<float>& weights = Values(layer.name + ".weight");
      std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>(kNoWeights * layer.row_count()),
                  layer.row_count(), 0.0f);
    }
    // All different, so that a scale taken from a wrong place shows.
    for (size_t a = 0; a <= arch_.convs.size(); ++a) {
      task_.info.activation_scales.push_back(0.01f + 0.003f * static_cast<float>(a));
    }
    source_ = test::Stored(arch_, task_);
  }

  std::vector<float>& Values(const std::string& tensor) {
    return task_.checkpoint.tensors.at(tensor).values;
  }
  Line Expected(size_t conv, size_t channel) const {
    const BatchNormParams bn = source_->BatchNorm(conv);
    const double factor =
        bn.weight[channel] / std::sqrt(double{bn.running_var[channel]} + kBatchNormEpsilon);
    return {factor, bn.bias[channel] - bn.running_mean[channel] * factor};
  }
  static void ExpectClose(double value, double expected, const char* what, size_t channel) {
    EXPECT_NEAR(value, expected, kTolerance * std::max(std::fabs(expected), 0.01))
        << what << " of channel " << channel;
  }

  const Architecture& arch_ = test::TinyArch();
  FuseTask task_ = test::BalancedTask(arch_, {.bits = 7, .channel_exponents = true});
  std::shared_ptr<const WeightSource> source_;
  const Program program_ = MakeProgram(arch_);
};

TEST_F(FoldedTest, Float32TakesTheLineItself) {
  for (const Step& step : program_.steps) {
    const Folded folded = FoldBatchNorm(*source_, step, Precision::kFloat32, {});
    ASSERT_EQ(folded.factor.size(), arch_.convs[step.conv].out_channels);
    ASSERT_EQ(folded.offset.size(), folded.factor.size());
    EXPECT_EQ(folded.summed_factor, 1);
    for (size_t c = 0; c < folded.factor.size(); ++c) {
      ExpectClose(folded.factor[c], Expected(step.conv, c).factor, "factor", c);
      ExpectClose(folded.offset[c], Expected(step.conv, c).offset, "offset", c);
    }
    EXPECT_EQ(folded.factor[kGammaZero], 0);
    EXPECT_LT(folded.factor[kGammaNegative], 0);
  }
}

// bfloat16 adds before it multiplies.
TEST_F(FoldedTest, Bfloat16TakesTheLineWithItsOffsetInUnitsOfTheSum) {
  for (const Step& step : program_.steps) {
    const Folded folded = FoldBatchNorm(*source_, step, Precision::kBfloat16, {});
    ASSERT_EQ(folded.factor.size(), arch_.convs[step.conv].out_channels);
    EXPECT_EQ(folded.summed_factor, 1);
    for (size_t c = 0; c < folded.factor.size(); ++c) {
      ExpectClose(folded.factor[c], Expected(step.conv, c).factor, "factor", c);
      ExpectClose(double{folded.offset[c]} * double{folded.factor[c]},
                  Expected(step.conv, c).offset, "offset", c);
    }
    EXPECT_LT(folded.factor[kGammaNegative], 0);
  }
}

// No scale gets smaller, and what is added comes in the same units, or in twice those when signed.
TEST_F(FoldedTest, FittedScalesAreNoSmallerAndInOneOfTwoRatios) {
  const absl::Span<const float> measured = source_->ActivationScales();
  const std::vector<float> fitted = FitActivationScales(program_, measured);
  ASSERT_EQ(fitted.size(), measured.size());
  for (size_t a = 0; a < fitted.size(); ++a) EXPECT_GE(fitted[a], measured[a]) << a;
  for (const Step& step : program_.steps) {
    if (!step.sum) continue;
    const float ratio = step.summed_is_signed ? 2.0f : 1.0f;
    EXPECT_FLOAT_EQ(fitted[step.summed_scale], ratio * fitted[step.conv + 1]);
    const Folded folded = FoldBatchNorm(*source_, step, Precision::kInt8, fitted);
    EXPECT_EQ(folded.summed_factor, ratio);
  }
}

// (sum + offset) * factor, in units of the output, is what the batch norm makes of the sum of
// products, in units of input and weights. A sum of 8-bit products is anything to some ten
// millions.
TEST_F(FoldedTest, Int8TurnsSumsIntoUnitsOfTheOutput) {
  const std::vector<float> scales = FitActivationScales(program_, source_->ActivationScales());
  for (const Step& step : program_.steps) {
    const ConvLayer& layer = arch_.convs[step.conv];
    const Folded folded = FoldBatchNorm(*source_, step, Precision::kInt8, scales);
    ASSERT_EQ(folded.factor.size(), layer.out_channels);
    for (size_t c = 0; c < layer.out_channels; ++c) {
      const Line line = Expected(step.conv, c);
      for (const double sum : {0.0, 1.0, -1000.0, 3e5, -2e7}) {
        const double input = sum * source_->Int8Scale(step.conv, c) * scales[step.in_scale];
        const double wanted = (line.factor * input + line.offset) / scales[step.conv + 1];
        const double got = (sum + double{folded.offset[c]}) * double{folded.factor[c]};
        // The two terms may cancel each other, but not their rounding.
        const double size = std::fabs(line.factor * input) + std::fabs(line.offset);
        EXPECT_NEAR(got, wanted, kTolerance * (size / scales[step.conv + 1] + 1))
            << layer.name << ", channel " << c << ", sum " << sum;
      }
    }
    const double summed = step.sum ? double{scales[step.summed_scale]} / scales[step.conv + 1] : 1;
    EXPECT_NEAR(folded.summed_factor, summed, kTolerance * summed) << layer.name;
  }
}

// What oneDNN is given is finite whatever the batch norms are, or it would make NaNs of sums.
TEST_F(FoldedTest, Int8StaysFiniteWhereNothingIsLeftOfAChannel) {
  const std::vector<float> scales = FitActivationScales(program_, source_->ActivationScales());
  for (const Step& step : program_.steps) {
    const Folded folded = FoldBatchNorm(*source_, step, Precision::kInt8, scales);
    for (const size_t c : {kGammaZero, kGammaTiny, kNoWeights}) {
      EXPECT_TRUE(std::isfinite(folded.factor[c])) << "channel " << c;
      EXPECT_TRUE(std::isfinite(folded.offset[c])) << "channel " << c;
      EXPECT_NE(folded.factor[c], 0) << "channel " << c << ": its offset would be lost";
    }
  }
}

}  // namespace
}  // namespace bitplex::onednn
