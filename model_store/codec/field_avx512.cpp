// Sixteen words a step, by one byte permutation over the 2 x word_bits bytes that they fill.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "model_store/codec/field_kernels.h"

namespace bitplex::internal {
namespace {

constexpr size_t kLanes = 16;

__mmask64 FirstBytes(size_t bytes) { return bytes >= 64 ? ~0ull : (1ull << bytes) - 1; }

}  // namespace

size_t DecodeFieldAvx512(const Field& field, size_t first, size_t count, float scale, float* out) {
  const size_t group_bytes = 2 * field.word_bits;  // At most 128.
  alignas(64) uint8_t index[64];
  alignas(64) uint32_t lane_shift[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const size_t bit = lane * field.word_bits + field.shift;
    lane_shift[lane] = bit % 8;
    for (size_t b = 0; b < 4; ++b) {
      // A window may stick out of the group; the field itself does not.
      index[4 * lane + b] = static_cast<uint8_t>(std::min(bit / 8 + b, group_bytes - 1));
    }
  }
  const __m512i permutation = _mm512_load_si512(index);
  const __m512i shift = _mm512_load_si512(lane_shift);
  const __m512i mask = _mm512_set1_epi32(static_cast<int>((1u << field.bits) - 1));
  const __m512 factor = _mm512_set1_ps(scale);
  const __m512 sign_bit = _mm512_set1_ps(-0.0f);
  const __mmask64 low_bytes =
      FirstBytes(group_bytes);  // Masked loads read nothing beyond the group.
  const __mmask64 high_bytes = FirstBytes(group_bytes > 64 ? group_bytes - 64 : 0);
  const bool wide = group_bytes > 64;
  // A group of 16 starts on a byte because 8 words do.
  const uint8_t* words = field.words + first / 8 * field.word_bits;
  const uint8_t* signs = field.signs + first / 8;
  size_t done = 0;
  for (; done + kLanes <= count; done += kLanes, words += group_bytes, signs += 2) {
    const __m512i low = _mm512_maskz_loadu_epi8(low_bytes, words);
    __m512i window;
    if (wide) {
      const __m512i high = _mm512_maskz_loadu_epi8(high_bytes, words + 64);
      window = _mm512_permutex2var_epi8(low, permutation, high);
    } else {
      window = _mm512_permutexvar_epi8(permutation, low);
    }
    const __m512i mantissa = _mm512_and_si512(_mm512_srlv_epi32(window, shift), mask);
    const __m512 magnitude = _mm512_mul_ps(_mm512_cvtepi32_ps(mantissa), factor);
    uint16_t negative;
    std::memcpy(&negative, signs, sizeof(negative));
    _mm512_storeu_ps(out + done, _mm512_mask_xor_ps(magnitude, negative, magnitude, sign_bit));
  }
  return done;
}

}  // namespace bitplex::internal
