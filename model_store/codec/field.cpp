#include "model_store/codec/field.h"

#include <bit>

#include "model_store/codec/field_kernels.h"

namespace bitplex {
namespace {

using DecodeFunction = size_t (*)(const Field&, size_t, size_t, float, float*);

// A kernel of its own decodes the middle of a range, from a multiple of 8 words on, and says how
// many words it did; the scalar code does the rest.
DecodeFunction KernelFor(Isa isa) {
#if defined(BITPLEX_HAVE_X86_KERNELS)
  if (isa == Isa::kAvx512) return internal::DecodeFieldAvx512;
  if (isa == Isa::kAvx2) return internal::DecodeFieldAvx2;
#endif
  (void)isa;
  return nullptr;
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

void DecodeFieldScalar(const Field& field, size_t first, size_t count, float scale, float* out) {
  for (size_t i = first; i < first + count; ++i) {
    const float magnitude = static_cast<float>(ReadMantissa(field, i)) * scale;
    const uint32_t sign = (field.signs[i / 8] >> (i % 8)) & 1u;
    *out++ = std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) ^ (sign << 31));
  }
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
  const size_t to_group = (8 - first % 8) % 8;
  const DecodeFunction kernel = KernelFor(isa);
  if (kernel != nullptr && count > to_group) {
    internal::DecodeFieldScalar(field, first, to_group, scale, out);
    const size_t done =
        to_group + kernel(field, first + to_group, count - to_group, scale, out + to_group);
    first += done;
    count -= done;
    out += done;
  }
  internal::DecodeFieldScalar(field, first, count, scale, out);
}

void DecodeFieldInt8(const Field& field, size_t first, size_t count, int8_t* out) {
  for (size_t i = first; i < first + count; ++i) {
    const int m = static_cast<int>(internal::ReadMantissa(field, i));
    *out++ = static_cast<int8_t>((field.signs[i / 8] >> (i % 8)) & 1u ? -m : m);
  }
}
void DecodeFieldBfloat16(const Field& field, size_t first, size_t count, float scale,
                         uint16_t* out) {
  for (size_t i = first; i < first + count; ++i) {
    float v;
    internal::DecodeFieldScalar(field, i, 1, scale, &v);
    const uint32_t bits = std::bit_cast<uint32_t>(v);
    *out++ = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

}  // namespace bitplex
