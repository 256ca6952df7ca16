// A field as int8 and as bfloat16: the definitions, and the choice of a kernel.
#include <bit>
#include <cassert>
#include <limits>

#include "model_store/codec/field.h"
#include "model_store/codec/field_dispatch.h"
#include "model_store/codec/field_kernels.h"

namespace bitplex {
namespace {

int8_t Int8(const Field& field, size_t i) {
  const auto mantissa = static_cast<int>(internal::ReadMantissa(field, i));
  return static_cast<int8_t>(internal::IsNegative(field, i) ? -mantissa : mantissa);
}

uint16_t Bfloat16(const Field& field, size_t i, float scale) {
  const float magnitude = static_cast<float>(internal::ReadMantissa(field, i)) * scale;
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  // Adds one half of the last bit that stays, less a unit where that bit is even. A carry out of
  // the significand rightly goes into the exponent.
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(rounded ^ (internal::IsNegative(field, i) ? 0x8000u : 0u));
}

size_t RunInt8Kernel([[maybe_unused]] Isa isa, [[maybe_unused]] const Field& field,
                     [[maybe_unused]] size_t first, [[maybe_unused]] size_t count,
                     [[maybe_unused]] int8_t* out) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  if (isa == Isa::kAvx512) return internal::DecodeFieldInt8Avx512(field, first, count, out);
  if (isa == Isa::kAvx2) return internal::DecodeFieldInt8Avx2(field, first, count, out);
#endif
  return 0;
}

size_t RunBfloat16Kernel([[maybe_unused]] Isa isa, [[maybe_unused]] const Field& field,
                         [[maybe_unused]] size_t first, [[maybe_unused]] size_t count,
                         [[maybe_unused]] float scale, [[maybe_unused]] uint16_t* out) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  if (isa == Isa::kAvx512) {
    return internal::DecodeFieldBfloat16Avx512(field, first, count, scale, out);
  }
  if (isa == Isa::kAvx2) {
    return internal::DecodeFieldBfloat16Avx2(field, first, count, scale, out);
  }
#endif
  return 0;
}

}  // namespace

bool internal::ExactInBfloat16(const Field& field, float scale) {
  return field.bits <= kMaxBfloat16Bits && scale >= std::numeric_limits<float>::min();
}

void DecodeFieldInt8(const Field& field, size_t first, size_t count, int8_t* out) {
  DecodeFieldInt8With(BestIsa(), field, first, count, out);
}

void DecodeFieldInt8With(Isa isa, const Field& field, size_t first, size_t count, int8_t* out) {
  assert(field.bits <= kMaxInt8Bits);
  const auto kernel = [&](size_t from, size_t words, int8_t* to) {
    return RunInt8Kernel(isa, field, from, words, to);
  };
  const auto value = [&](size_t i) { return Int8(field, i); };
  internal::DecodeAround(kernel, value, first, count, out);
}

void DecodeFieldBfloat16(const Field& field, size_t first, size_t count, float scale,
                         uint16_t* out) {
  DecodeFieldBfloat16With(BestIsa(), field, first, count, scale, out);
}

void DecodeFieldBfloat16With(Isa isa, const Field& field, size_t first, size_t count, float scale,
                             uint16_t* out) {
  const auto kernel = [&](size_t from, size_t words, uint16_t* to) {
    return RunBfloat16Kernel(isa, field, from, words, scale, to);
  };
  const auto value = [&](size_t i) { return Bfloat16(field, i, scale); };
  internal::DecodeAround(kernel, value, first, count, out);
}

}  // namespace bitplex
