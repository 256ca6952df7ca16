#include "model_store/codec/block_float.h"

#include <algorithm>
#include <cmath>

namespace bitplex {

int SharedExponent(absl::Span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  int exponent = kMinExponent;
  if (largest > 0) std::frexp(largest, &exponent);
  return std::max(exponent, kMinExponent);
}

uint32_t Mantissa(float value, int exponent, unsigned bits) {
  // Exact in double: a float32 times a power of two.
  const double scaled =
      std::ldexp(std::fabs(static_cast<double>(value)), static_cast<int>(bits) - exponent);
  const double largest = static_cast<double>((1u << bits) - 1);
  return static_cast<uint32_t>(std::min(std::round(scaled), largest));
}

float UnitScale(int exponent, unsigned bits) {
  return std::ldexp(1.0f, exponent - static_cast<int>(bits));
}

void PackField(absl::Span<const float> values, absl::Span<const int16_t> exponents, unsigned bits,
               unsigned shift, unsigned word_bits, std::vector<uint8_t>& words,
               std::vector<uint8_t>& signs) {
  const size_t run = values.size() / exponents.size();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t first_bit = i * word_bits + shift;
    uint64_t window = uint64_t{Mantissa(values[i], exponents[i / run], bits)} << (first_bit % 8);
    for (size_t byte = first_bit / 8; window != 0; ++byte, window >>= 8) {
      words[byte] |= static_cast<uint8_t>(window);
    }
    if (std::signbit(values[i])) signs[i / 8] |= static_cast<uint8_t>(1u << (i % 8));
  }
}

}  // namespace bitplex
