// Batch norms, folded at materialisation into what the arithmetic does anyway.
#pragma once

#include <vector>

#include "model_store/view/precision.h"
#include "model_store/view/weight_source.h"
#include "server/executor/onednn/steps.h"

namespace bitplex::onednn {

// What a convolution's batch norm comes to, one value an output channel. Each arithmetic has its
// place for it: float32 takes `factor` into the weights and `offset` as bias; bfloat16 does both
// after the convolution, so that the weights stay exact; int8 adds `offset` to its 32-bit sums and
// multiplies them by `factor` on their way to 8 bits.
struct Folded {
  std::vector<float> factor;
  std::vector<float> offset;
  float summed_factor = 1;  // Of what is added to the result.
};

// int8 needs ActivationScales, and decodes the convolution's weights for their scales.
Folded FoldBatchNorm(const WeightSource& source, const Step& step, Precision precision);

}  // namespace bitplex::onednn
