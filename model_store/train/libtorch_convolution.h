// A convolution whose gradient is faster than LibTorch's for small maps.
#pragma once

#include <ATen/core/Tensor.h>

namespace bitplex {

// As at::conv2d without bias: `x` (count, channels, rows, columns) and `weight` (outputs, channels,
// rows, columns), both channels-last. On a CPU in bfloat16, the weights' gradient of a layer with
// few outputs a channel and image is one matrix product over the whole batch: LibTorch's kernel
// sums it image by image, and 16 positions do not fill a matrix unit.
at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight, int64_t stride, int64_t padding);

}  // namespace bitplex
