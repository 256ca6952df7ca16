#include "server/executor/onednn/folded.h"

#include <algorithm>
#include <cmath>

#include "server/executor/onednn/blocked_layout.h"

namespace bitplex::onednn {
namespace {

// A channel whose batch norm multiplies by nought still has its offset, which int8 divides by the
// factor.
constexpr float kSmallestUnit = 1e-20f;

std::vector<float> WeightScales(const WeightSource& source, size_t conv) {
  const ConvLayer& layer = source.arch().convs[conv];
  std::vector<float> scales(layer.out_channels);
  std::vector<int8_t> unused(kTileRows * layer.row_count());
  for (size_t first = 0; first < layer.out_channels; first += kTileRows) {
    source.DecodeInt8(conv, first, std::min(kTileRows, layer.out_channels - first), unused.data(),
                      scales.data() + first);
  }
  return scales;
}

}  // namespace

Folded FoldBatchNorm(const WeightSource& source, const Step& step, Precision precision) {
  const BatchNormParams bn = source.BatchNorm(step.conv);
  const size_t channels = bn.weight.size();
  Folded folded;
  for (size_t c = 0; c < channels; ++c) {
    const float factor = bn.weight[c] / std::sqrt(bn.running_var[c] + kBatchNormEpsilon);
    folded.factor.push_back(factor);
    folded.offset.push_back(bn.bias[c] - bn.running_mean[c] * factor);
  }
  if (precision != Precision::kInt8) return folded;
  const absl::Span<const float> activations = source.ActivationScales();
  const std::vector<float> weights = WeightScales(source, step.conv);
  const float out = activations[step.conv + 1];
  for (size_t c = 0; c < channels; ++c) {
    // What one unit of a 32-bit sum is worth.
    float unit = folded.factor[c] * weights[c] * activations[step.in_scale];
    if (std::fabs(unit) < kSmallestUnit) unit = kSmallestUnit;
    folded.offset[c] /= unit;
    folded.factor[c] = unit / out;
  }
  if (step.sum) folded.summed_factor = activations[step.summed_scale] / out;
  return folded;
}

}  // namespace bitplex::onednn
