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

// The activation scales as int8 uses them. What a convolution adds to its result is multiplied by a
// number that its generated code has built in. So scales are raised until that number is 1, or 2
// for what a downsample convolution gives: then tasks share their code, which takes megabytes.
std::vector<float> FitActivationScales(const Program& program, absl::Span<const float> measured);

// int8 needs `activations`, the fitted scales.
Folded FoldBatchNorm(const WeightSource& source, const Step& step, Precision precision,
                     absl::Span<const float> activations);

}  // namespace bitplex::onednn
