// The SIMD kernels behind DecodeField. Each has a file of its own, compiled for its instruction
// set.
#pragma once

#include "model_store/codec/field.h"

namespace bitplex::internal {

// The definition: mantissa of word i, unscaled.
uint32_t ReadMantissa(const Field& field, size_t i);
void DecodeFieldScalar(const Field& field, size_t first, size_t count, float scale, float* out);

// Decode from word `first` (a multiple of 8) as many whole groups of `count` words as can be read
// without touching a byte outside the field; return how many words that were.
size_t DecodeFieldAvx2(const Field& field, size_t first, size_t count, float scale, float* out);
size_t DecodeFieldAvx512(const Field& field, size_t first, size_t count, float scale, float* out);

}  // namespace bitplex::internal
