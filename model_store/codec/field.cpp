#include "model_store/codec/field.h"

#include <bit>

#include "model_store/codec/field_dispatch.h"
#include "model_store/codec/field_kernels.h"

namespace bitplex {
namespace {

float Float32(const Field& field, size_t i, float scale) {
  const float magnitude = static_cast<float>(internal::ReadMantissa(field, i)) * scale;
  const uint32_t sign = internal::IsNegative(field, i) ? 1u << 31 : 0;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) ^ sign);
}

size_t RunKernel([[maybe_unused]] Isa isa, [[maybe_unused]] const Field& field,
                 [[maybe_unused]] size_t first, [[maybe_unused]] size_t count,
                 [[maybe_unused]] float scale, [[maybe_unused]] float* out) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  if (isa == Isa::kAvx512) return internal::DecodeFieldAvx512(field, first, count, scale, out);
  if (isa == Isa::kAvx2) return internal::DecodeFieldAvx2(field, first, count, scale, out);
#endif
  return 0;
}

}  // namespace

namespace internal {

uint32_t ReadMantissa(const Field& field, size_t i) {
  const size_t first_bit = i * field.word_bits + field.shift;
  const size_t last_byte = (first_bit + field.bits - 1) / 8;
  uint64_t window = 0;  // At most 24 + 7 bits lie in it.
  for (size_t byte = first_bit / 8, at = 0; byte <= last_byte; ++byte, at += 8) {
    window |= uint64_t{field.words[byte]} << at;
  }
  return static_cast<uint32_t>(window >> (first_bit % 8)) & ((1u << field.bits) - 1);
}

}  // namespace internal

bool IsaSupported(Isa isa) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avx2");
  if (isa == Isa::kAvx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi");
  }
#endif
  return isa == Isa::kScalar;
}

Isa BestIsa() {
  static const Isa best = IsaSupported(Isa::kAvx512) ? Isa::kAvx512
                          : IsaSupported(Isa::kAvx2) ? Isa::kAvx2
                                                     : Isa::kScalar;
  return best;
}

const char* IsaName(Isa isa) {
  return isa == Isa::kAvx512 ? "avx512" : isa == Isa::kAvx2 ? "avx2" : "scalar";
}

void DecodeField(const Field& field, size_t first, size_t count, float scale, float* out) {
  DecodeFieldWith(BestIsa(), field, first, count, scale, out);
}

void DecodeFieldWith(Isa isa, const Field& field, size_t first, size_t count, float scale,
                     float* out) {
  const auto kernel = [&](size_t from, size_t words, float* to) {
    return RunKernel(isa, field, from, words, scale, to);
  };
  const auto value = [&](size_t i) { return Float32(field, i, scale); };
  internal::DecodeAround(kernel, value, first, count, out);
}

}  // namespace bitplex
