// Block floating point: n-bit mantissas under a shared exponent, signs apart. From J. Bae and S.
// Bae, "Improved Adapting a Single Network to Multiple Tasks By Bit Plane Slicing and Dithering",
// 2020.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace bitplex {

// Keeps every scale 2^(e - 24) a normal float32. A block whose largest value is below 2^-102 loses
// bits; no trained weight is that small.
inline constexpr int kMinExponent = -102;
inline constexpr int kMaxExponent = 128;

// The shared exponent e of a block: the smallest integer with max|value| < 2^e, at least
// kMinExponent. `values` are finite.
int SharedExponent(absl::Span<const float> values);

// round(|value| * 2^(bits - exponent)), halves away from zero, at most 2^bits - 1.
uint32_t Mantissa(float value, int exponent, unsigned bits);

// The value of one unit of the last mantissa bit: 2^(exponent - bits).
float UnitScale(int exponent, unsigned bits);

// Bytes that `count` words of `word_bits` bits fill.
constexpr size_t PackedBytes(size_t count, unsigned word_bits) {
  return (count * word_bits + 7) / 8;
}

// Writes one task's field into `words` (zero there before): the mantissas of `values` at bits
// [shift, shift + bits) of each word, and the signs into `signs`. `exponents` holds one shared
// exponent, or one for each run of values.size() / exponents.size() values.
void PackField(absl::Span<const float> values, absl::Span<const int16_t> exponents, unsigned bits,
               unsigned shift, unsigned word_bits, std::vector<uint8_t>& words,
               std::vector<uint8_t>& signs);

}  // namespace bitplex
