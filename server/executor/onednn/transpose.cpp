#include "server/executor/onednn/transpose.h"

#include <bit>

namespace bitplex::onednn {

namespace internal {

void TransposeScalar(const uint32_t* in, size_t in_stride, size_t rows, size_t columns,
                     const float* row_scales, uint32_t* out, size_t out_stride) {
  for (size_t c = 0; c < columns; ++c, out += out_stride) {
    for (size_t r = 0; r < rows; ++r) {
      const uint32_t bits = in[r * in_stride + c];
      out[r] = row_scales == nullptr
                   ? bits
                   : std::bit_cast<uint32_t>(std::bit_cast<float>(bits) * row_scales[r]);
    }
  }
}

}  // namespace internal

void Transpose(const uint32_t* in, size_t in_stride, size_t rows, size_t columns,
               const float* row_scales, uint32_t* out, size_t out_stride) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  static const bool avx512 = __builtin_cpu_supports("avx512f");
  if (avx512 && rows == 16) {
    internal::TransposeAvx512(in, in_stride, columns, row_scales, out, out_stride);
    return;
  }
#endif
  internal::TransposeScalar(in, in_stride, rows, columns, row_scales, out, out_stride);
}

}  // namespace bitplex::onednn
