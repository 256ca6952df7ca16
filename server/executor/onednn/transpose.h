// Rows to columns, 32 bits at a time: the inner loop of packing weights.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplex::onednn {

// out[c * out_stride + r] = in[r * in_stride + c] for `rows` rows (at most 16) and `columns`
// columns. With `row_scales` the values are float32, and each is multiplied by its row's.
void Transpose(const uint32_t* in, size_t in_stride, size_t rows, size_t columns,
               const float* row_scales, uint32_t* out, size_t out_stride);

namespace internal {

void TransposeScalar(const uint32_t* in, size_t in_stride, size_t rows, size_t columns,
                     const float* row_scales, uint32_t* out, size_t out_stride);
// 16 rows.
void TransposeAvx512(const uint32_t* in, size_t in_stride, size_t columns, const float* row_scales,
                     uint32_t* out, size_t out_stride);

}  // namespace internal
}  // namespace bitplex::onednn
