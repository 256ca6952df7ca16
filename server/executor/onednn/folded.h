// Batch norms, folded at materialisation into what the arithmetic does anyway.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "model_store/view/precision.h"
#include "model_store/view/weight_source.h"
#include "server/executor/onednn/steps.h"

namespace bitplex::onednn {

// What a convolution's batch norm comes to, one value an output channel. float32 takes `factor`
// into the weights: out = conv(in, factor * weights) + offset. The narrow types leave the weights
// exact: out = (conv(in, weights) + offset) * factor, where int8 counts in units of its
// activations.
struct Folded {
  std::vector<float> factor;
  std::vector<float> offset;
  float summed_factor = 1;  // Of what is added to the result.
};

// The activation scales as int8 uses them. A convolution's generated code has the ratio of what is
// added to the result built in, so scales are raised, by at most a fifth, until every ratio is a
// power of the fourth root of two: then tasks and layers share their code, which takes megabytes.
std::vector<float> FitActivationScales(const Program& program, absl::Span<const float> measured);

// int8 needs `activations`, the fitted scales, and decodes the convolution's weights for their own.
Folded FoldBatchNorm(const WeightSource& source, const Step& step, Precision precision,
                     absl::Span<const float> activations);

}  // namespace bitplex::onednn
