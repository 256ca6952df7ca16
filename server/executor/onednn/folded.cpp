#include "server/executor/onednn/folded.h"

#include <algorithm>
#include <cmath>

namespace bitplex::onednn {
namespace {

// A channel whose batch norm multiplies by nought still has its offset, which is divided by the
// factor.
constexpr float kSmallestFactor = 1e-20f;

// Signed activations have half as many units as unsigned ones for the same range.
float SummedFactor(const Step& step) { return step.summed_is_signed ? 2.0f : 1.0f; }

}  // namespace

std::vector<float> FitActivationScales(const Program& program, absl::Span<const float> measured) {
  std::vector<float> scales(measured.begin(), measured.end());
  // Backwards, so that what starts a row of blocks gets the widest range of them all; then
  // forwards, so that the others get the same.
  for (size_t s = program.steps.size(); s-- > 0;) {
    const Step& step = program.steps[s];
    if (!step.sum) continue;
    const float ratio = SummedFactor(step);
    float& summed = scales[step.summed_scale];
    summed = std::max(summed, scales[step.conv + 1] * ratio);
  }
  for (const Step& step : program.steps) {
    if (step.sum) scales[step.conv + 1] = scales[step.summed_scale] / SummedFactor(step);
  }
  return scales;
}

Folded FoldBatchNorm(const WeightSource& source, const Step& step, Precision precision,
                     absl::Span<const float> activations) {
  const BatchNormParams bn = source.BatchNorm(step.conv);
  const size_t channels = bn.weight.size();
  const bool int8 = precision == Precision::kInt8;
  const float in = int8 ? activations[step.in_scale] : 1.0f;
  const float out = int8 ? activations[step.conv + 1] : 1.0f;
  Folded folded;
  for (size_t c = 0; c < channels; ++c) {
    const float gain = bn.weight[c] / std::sqrt(bn.running_var[c] + kBatchNormEpsilon);
    const float offset = bn.bias[c] - bn.running_mean[c] * gain;
    if (precision == Precision::kFloat32) {
      folded.factor.push_back(gain);
      folded.offset.push_back(offset);
      continue;
    }
    // What one unit of the convolution's sums is worth.
    float unit = gain * (int8 ? source.Int8Scale(step.conv, c) : 1.0f) * in;
    if (std::fabs(unit) < kSmallestFactor) unit = kSmallestFactor;
    folded.factor.push_back(unit / out);
    folded.offset.push_back(offset / unit);
  }
  if (int8 && step.sum) folded.summed_factor = SummedFactor(step);
  return folded;
}

}  // namespace bitplex::onednn
