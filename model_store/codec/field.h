// A bit field in packed words: the form in which a task's weights lie in a store, and how they
// become numbers. The scalar code is the definition; the SIMD code gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplex {

inline constexpr unsigned kMaxFieldBits =
    24;  // A float32 significand: every field is exact in float32.
inline constexpr unsigned kMaxWordBits = 64;
inline constexpr unsigned kMaxInt8Bits = 7;      // Signed, a field to this width fits int8.
inline constexpr unsigned kMaxBfloat16Bits = 8;  // Every field to this width is exact in bfloat16.

// The field that starts `shift` bits above the lowest bit of each word and is `bits` wide, with one
// sign bit a weight. Non-owning. Word i occupies bits [i * word_bits, (i + 1) * word_bits) of
// `words` and sign i bit i of `signs`; bit b of a sequence is bit b % 8 of byte b / 8.
struct Field {
  const uint8_t* words = nullptr;
  const uint8_t* signs = nullptr;
  size_t count = 0;  // Words, and signs.
  unsigned word_bits = 0;
  unsigned shift = 0;
  unsigned bits = 0;
};

enum class Isa { kScalar, kAvx2, kAvx512 };

// Whether this build has the code and this processor can run it. Thread-safe.
bool IsaSupported(Isa isa);
// The fastest supported one.
Isa BestIsa();
const char* IsaName(Isa isa);

// out[i] = (sign ? -1 : 1) * mantissa * scale for words first .. first + count - 1, where `scale`
// is a power of two. Reads no byte outside the field's words and signs. Thread-safe.
void DecodeField(const Field& field, size_t first, size_t count, float scale, float* out);
void DecodeFieldWith(Isa isa, const Field& field, size_t first, size_t count, float scale,
                     float* out);

// out[i] = (sign ? -1 : 1) * mantissa, for a field of at most kMaxInt8Bits bits: the scale is left
// to the caller, and zero has no sign. The rest as DecodeField.
void DecodeFieldInt8(const Field& field, size_t first, size_t count, int8_t* out);
void DecodeFieldInt8With(Isa isa, const Field& field, size_t first, size_t count, int8_t* out);

// The bfloat16 (upper half of a float32) of what DecodeField gives: exact for a field of at most
// kMaxBfloat16Bits bits and a normal `scale`, else rounded to nearest, ties to even. A value that
// rounds to 2^128 becomes infinite.
void DecodeFieldBfloat16(const Field& field, size_t first, size_t count, float scale,
                         uint16_t* out);
void DecodeFieldBfloat16With(Isa isa, const Field& field, size_t first, size_t count, float scale,
                             uint16_t* out);

}  // namespace bitplex
