// int8, 64 words a step; bfloat16, 32 words a step.
#include <immintrin.h>

#include <cstring>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx512.h"

namespace bitplex::internal {
namespace {

__m512i Float32Bits(__m512i mantissa, __m512 scale) {
  return _mm512_castps_si512(_mm512_mul_ps(_mm512_cvtepi32_ps(mantissa), scale));
}

// float32 to bfloat16, to nearest, ties to even; in the lower half of each lane.
__m512i RoundToBfloat16(__m512i value) {
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(value, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  return _mm512_srli_epi32(_mm512_add_epi32(value, half), 16);
}

// Packing two registers works in each quarter of them, so their quarters come out in turn.
__m512i InOrder(__m512i packed) {
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed);
}

// The bfloat16 magnitudes of 32 words. Exact: the lower halves of the float32 values are zero. Even
// and odd words become float32 apart, so that their upper halves meet without crossing lanes.
template <size_t kParts>
__m512i ReadBfloat16(const MantissasAvx512<2, kParts>& mantissas, const uint8_t* words,
                     __m512 scale) {
  const __m512i mantissa = mantissas.Read(words);
  const __m512i even = Float32Bits(_mm512_and_si512(mantissa, _mm512_set1_epi32(0xffff)), scale);
  const __m512i odd = Float32Bits(_mm512_srli_epi32(mantissa, 16), scale);
  return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(even, 16), odd);
}

// The same rounded.
template <size_t kParts>
__m512i ReadBfloat16(const MantissasAvx512<4, kParts>& mantissas, const uint8_t* words,
                     __m512 scale) {
  const __m512i low = Float32Bits(mantissas.Read(words), scale);
  const __m512i high = Float32Bits(mantissas.Read(words + mantissas.step_bytes()), scale);
  return InOrder(_mm512_packus_epi32(RoundToBfloat16(low), RoundToBfloat16(high)));
}

}  // namespace

size_t DecodeFieldInt8Avx512(const Field& field, size_t first, size_t count, int8_t* out) {
  return WithMantissasAvx512<2>(field, [=](const auto& mantissas) {
    const size_t half_step = mantissas.step_bytes();
    const uint8_t* words = field.words + first / 8 * field.word_bits;
    const uint8_t* signs = field.signs + first / 8;
    size_t done = 0;
    for (; done + 64 <= count; done += 64, words += 2 * half_step, signs += 8) {
      const __m512i low = mantissas.Read(words);
      const __m512i high = mantissas.Read(words + half_step);
      const __m512i magnitude = InOrder(_mm512_packus_epi16(low, high));
      uint64_t negative;
      std::memcpy(&negative, signs, sizeof(negative));
      _mm512_storeu_si512(
          out + done, _mm512_mask_sub_epi8(magnitude, negative, _mm512_setzero_si512(), magnitude));
    }
    return done;
  });
}

size_t DecodeFieldBfloat16Avx512(const Field& field, size_t first, size_t count, float scale,
                                 uint16_t* out) {
  const auto decode = [=](const auto& mantissas) {
    const __m512 factor = _mm512_set1_ps(scale);
    const __m512i sign_bit = _mm512_set1_epi16(INT16_MIN);
    const uint8_t* words = field.words + first / 8 * field.word_bits;
    const uint8_t* signs = field.signs + first / 8;
    size_t done = 0;
    for (; done + 32 <= count; done += 32, words += size_t{4} * field.word_bits, signs += 4) {
      const __m512i magnitude = ReadBfloat16(mantissas, words, factor);
      uint32_t negative;
      std::memcpy(&negative, signs, sizeof(negative));
      // Adding the sign bit sets it: magnitudes have none.
      _mm512_storeu_si512(out + done,
                          _mm512_mask_add_epi16(magnitude, negative, magnitude, sign_bit));
    }
    return done;
  };
  return ExactInBfloat16(field, scale) ? WithMantissasAvx512<2>(field, decode)
                                       : WithMantissasAvx512<4>(field, decode);
}

}  // namespace bitplex::internal
