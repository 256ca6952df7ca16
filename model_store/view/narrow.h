// Float32 weights rounded to narrower types, for those whose own mantissas do not fit.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace bitplex {

// To nearest, ties to even. `value` is finite.
inline uint16_t RoundToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// The scale that takes the largest of the `count` values to 127; 0 when all are nought.
float Int8ScaleOf(const float* values, size_t count);

// Writes round(value / Int8ScaleOf(values, count)).
void RoundToInt8(const float* values, size_t count, int8_t* out);

}  // namespace bitplex
