// The SIMD kernels behind DecodeField and its narrower forms. Each instruction set has files of its
// own, compiled for it.
#pragma once

#include "model_store/codec/field.h"

namespace bitplex::internal {

// The definition: mantissa of word i, unscaled.
uint32_t ReadMantissa(const Field& field, size_t i);
inline bool IsNegative(const Field& field, size_t i) {
  return (field.signs[i / 8] >> (i % 8)) & 1u;
}

// Whether no value is rounded. A subnormal scale leaves fewer bits than a bfloat16 has.
bool ExactInBfloat16(const Field& field, float scale);

// Decode from word `first` (a multiple of 8) as many whole groups of `count` words as can be read
// without touching a byte outside the field; return how many words that were.
size_t DecodeFieldAvx2(const Field& field, size_t first, size_t count, float scale, float* out);
size_t DecodeFieldAvx512(const Field& field, size_t first, size_t count, float scale, float* out);
size_t DecodeFieldInt8Avx2(const Field& field, size_t first, size_t count, int8_t* out);
size_t DecodeFieldInt8Avx512(const Field& field, size_t first, size_t count, int8_t* out);
size_t DecodeFieldBfloat16Avx2(const Field& field, size_t first, size_t count, float scale,
                               uint16_t* out);
size_t DecodeFieldBfloat16Avx512(const Field& field, size_t first, size_t count, float scale,
                                 uint16_t* out);

}  // namespace bitplex::internal
