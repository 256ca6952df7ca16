// int8 and bfloat16: 32 words a step where two bytes hold the window of a field, 16 elsewhere.
#include <immintrin.h>

#include <cstring>
#include <limits>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx512.h"

namespace bitplex::internal {
namespace {

template <typename Mask>
Mask LoadSigns(const uint8_t* signs) {
  Mask negative;
  std::memcpy(&negative, signs, sizeof(negative));
  return negative;
}

// Each of these turns the mantissas of one step into values, and stores them.

void StoreInt8(const MantissasAvx512<2>& mantissas, const uint8_t* words, const uint8_t* signs,
               int8_t* out) {
  const __m512i mantissa = mantissas.Read(words);
  const __m512i value = _mm512_mask_sub_epi16(mantissa, LoadSigns<__mmask32>(signs),
                                              _mm512_setzero_si512(), mantissa);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi16_epi8(value));
}

void StoreInt8(const MantissasAvx512<4>& mantissas, const uint8_t* words, const uint8_t* signs,
               int8_t* out) {
  const __m512i mantissa = mantissas.Read(words);
  const __m512i value = _mm512_mask_sub_epi32(mantissa, LoadSigns<__mmask16>(signs),
                                              _mm512_setzero_si512(), mantissa);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(value));
}

__m512i Float32Bits(__m512i mantissa, __m512 scale) {
  return _mm512_castps_si512(_mm512_mul_ps(_mm512_cvtepi32_ps(mantissa), scale));
}

// Exact: the lower halves of the float32 values are zero. Even and odd lanes become float32 apart,
// so that their upper halves meet again without crossing lanes.
void StoreBfloat16(const MantissasAvx512<2>& mantissas, const uint8_t* words, const uint8_t* signs,
                   __m512 scale, uint16_t* out) {
  const __m512i mantissa = mantissas.Read(words);
  const __m512i even = Float32Bits(_mm512_and_si512(mantissa, _mm512_set1_epi32(0xffff)), scale);
  const __m512i odd = Float32Bits(_mm512_srli_epi32(mantissa, 16), scale);
  const __m512i magnitude = _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(even, 16), odd);
  const __m512i value = _mm512_mask_add_epi16(magnitude, LoadSigns<__mmask32>(signs), magnitude,
                                              _mm512_set1_epi16(INT16_MIN));
  _mm512_storeu_si512(out, value);
}

// Rounds to nearest, ties to even, which also suits values that are exact.
void StoreBfloat16(const MantissasAvx512<4>& mantissas, const uint8_t* words, const uint8_t* signs,
                   __m512 scale, uint16_t* out) {
  const __m512i magnitude = Float32Bits(mantissas.Read(words), scale);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(magnitude, 16), _mm512_set1_epi32(1));
  __m512i value = _mm512_add_epi32(magnitude, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  value = _mm512_mask_xor_epi32(value, LoadSigns<__mmask16>(signs), value,
                                _mm512_set1_epi32(INT32_MIN));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(value, 16)));
}

template <size_t kLaneBytes, typename Store>
size_t DecodeSteps(const Field& field, size_t first, size_t count, const Store& store) {
  using Mantissas = MantissasAvx512<kLaneBytes>;
  const Mantissas mantissas(field);
  const uint8_t* words = field.words + first / 8 * field.word_bits;
  const uint8_t* signs = field.signs + first / 8;
  size_t done = 0;
  for (; done + Mantissas::kLanes <= count; done += Mantissas::kLanes) {
    store(mantissas, words, signs, done);
    words += mantissas.group_bytes();
    signs += Mantissas::kLanes / 8;
  }
  return done;
}

}  // namespace

size_t DecodeFieldInt8Avx512(const Field& field, size_t first, size_t count, int8_t* out) {
  const auto store = [out](const auto& mantissas, const uint8_t* words, const uint8_t* signs,
                           size_t done) { StoreInt8(mantissas, words, signs, out + done); };
  return MantissasAvx512<2>::Fits(field) ? DecodeSteps<2>(field, first, count, store)
                                         : DecodeSteps<4>(field, first, count, store);
}

size_t DecodeFieldBfloat16Avx512(const Field& field, size_t first, size_t count, float scale,
                                 uint16_t* out) {
  const auto store = [out, factor = _mm512_set1_ps(scale)](const auto& mantissas,
                                                           const uint8_t* words,
                                                           const uint8_t* signs, size_t done) {
    StoreBfloat16(mantissas, words, signs, factor, out + done);
  };
  // A subnormal scale leaves fewer bits than a bfloat16 has.
  const bool exact = field.bits <= kMaxBfloat16Bits && scale >= std::numeric_limits<float>::min();
  return exact && MantissasAvx512<2>::Fits(field) ? DecodeSteps<2>(field, first, count, store)
                                                  : DecodeSteps<4>(field, first, count, store);
}

}  // namespace bitplex::internal
