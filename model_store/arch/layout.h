// The axis orders of a convolution's weights.
#pragma once

#include "model_store/arch/architecture.h"

namespace bitplex {

// PyTorch's order (output, input, row, column) to Bitplex's (output, row, column, input): with the
// input channels innermost, decoded weights run as they lie. Both hold layer.weight_count() values.
inline void OihwToOhwi(const ConvLayer& layer, const float* oihw, float* ohwi) {
  const size_t taps = layer.kernel * layer.kernel;
  for (size_t o = 0; o < layer.out_channels; ++o, oihw += layer.row_count()) {
    for (size_t tap = 0; tap < taps; ++tap) {
      for (size_t i = 0; i < layer.in_channels; ++i) *ohwi++ = oihw[i * taps + tap];
    }
  }
}

}  // namespace bitplex
