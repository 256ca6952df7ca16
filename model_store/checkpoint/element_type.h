// The number formats that weights are stored in, and their exact conversion to float32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace bitplex::checkpoint {

enum class ElementType : uint8_t { kF32, kF64, kF16, kBF16 };

// Bytes of one element.
size_t ElementBytes(ElementType type);

float HalfToFloat(uint16_t half);  // IEEE 754 binary16; every value is exact in float32.

inline float BFloat16ToFloat(uint16_t bfloat16) {
  return std::bit_cast<float>(static_cast<uint32_t>(bfloat16) << 16);
}

}  // namespace bitplex::checkpoint
