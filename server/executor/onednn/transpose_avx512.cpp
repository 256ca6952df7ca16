// Blocks of 16 x 16, by the usual four rounds of interleaving: pairs, fours, and the two that swap
// quarters of registers.
#include <immintrin.h>

#include "server/executor/onednn/transpose.h"

namespace bitplex::onednn::internal {
namespace {

constexpr size_t kSide = 16;

void Interleave(__m512i (&rows)[kSide]) {
  __m512i pairs[kSide];
  for (size_t i = 0; i < kSide; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i fours[kSide];  // fours[4 b + c]: rows 4 b .. 4 b + 3 of columns c, c + 4, c + 8, c + 12.
  for (size_t i = 0; i < kSide; i += 4) {
    fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (size_t c = 0; c < 4; ++c) {
    const __m512i low_a = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
    const __m512i high_a = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xdd);
    const __m512i low_b = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512i high_b = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xdd);
    rows[c] = _mm512_shuffle_i32x4(low_a, low_b, 0x88);
    rows[4 + c] = _mm512_shuffle_i32x4(high_a, high_b, 0x88);
    rows[8 + c] = _mm512_shuffle_i32x4(low_a, low_b, 0xdd);
    rows[12 + c] = _mm512_shuffle_i32x4(high_a, high_b, 0xdd);
  }
}

}  // namespace

void TransposeAvx512(const uint32_t* in, size_t in_stride, size_t columns, const float* row_scales,
                     uint32_t* out, size_t out_stride) {
  const __m512 scales = row_scales == nullptr ? _mm512_set1_ps(1) : _mm512_loadu_ps(row_scales);
  for (size_t first = 0; first < columns; first += kSide) {
    const size_t count = columns - first < kSide ? columns - first : kSide;
    const __mmask16 present = static_cast<__mmask16>((1u << count) - 1);
    __m512i block[kSide];
    for (size_t r = 0; r < kSide; ++r) {
      block[r] = _mm512_maskz_loadu_epi32(present, in + r * in_stride + first);
    }
    Interleave(block);
    for (size_t c = 0; c < count; ++c) {
      if (row_scales != nullptr) {
        block[c] = _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(block[c]), scales));
      }
      _mm512_storeu_si512(out + (first + c) * out_stride, block[c]);
    }
  }
}

}  // namespace bitplex::onednn::internal
