// From a task's weights to a convolution's own layout and type.
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>

#include "model_store/view/precision.h"
#include "model_store/view/weight_source.h"

namespace bitplex::onednn {

// Decodes convolution `conv` into `packed`, weights.get_size() bytes that lie as `weights` says.
// `factor`: one a channel, multiplies float32 weights. Throws dnnl::error.
void PackConv(const dnnl::engine& engine, const WeightSource& source, size_t conv,
              Precision precision, const float* factor, const dnnl::memory::desc& weights,
              std::byte* packed);

}  // namespace bitplex::onednn
