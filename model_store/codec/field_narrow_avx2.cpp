// int8, 32 words a step; bfloat16, 16 words a step.
#include <immintrin.h>

#include <cstring>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx2.h"

namespace bitplex::internal {
namespace {

// Bytes of 0xff where a bit of the four bytes at `signs` is set, 0 elsewhere.
__m256i NegativeBytes(const uint8_t* signs) {
  int32_t bits;
  std::memcpy(&bits, signs, sizeof(bits));
  const __m256i byte =
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

// 0x8000 where a bit of the two bytes at `signs` is set, 0 elsewhere.
__m256i SignBits(const uint8_t* signs) {
  int16_t bits;
  std::memcpy(&bits, signs, sizeof(bits));
  // A product moves the lane's bit to the top.
  const __m256i to_top =
      _mm256_setr_epi16(INT16_MIN, 1 << 14, 1 << 13, 1 << 12, 1 << 11, 1 << 10, 1 << 9, 1 << 8,
                        1 << 7, 1 << 6, 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1 << 1, 1 << 0);
  return _mm256_and_si256(_mm256_mullo_epi16(_mm256_set1_epi16(bits), to_top),
                          _mm256_set1_epi16(INT16_MIN));
}

// float32 to bfloat16, to nearest, ties to even; in the lower half of each lane.
__m256i RoundToBfloat16(__m256i value) {
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(value, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  return _mm256_srli_epi32(_mm256_add_epi32(value, half), 16);
}

}  // namespace

size_t DecodeFieldInt8Avx2(const Field& field, size_t first, size_t count, int8_t* out) {
  return WithMantissasAvx2(field, [=](const auto& mantissas) {
    // Packing works in each half of a register, so quarters of 8 words come out interleaved.
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const size_t readable = mantissas.Readable(first, count);
    size_t done = 0;
    for (; done + 32 <= readable; done += 32) {
      const size_t group = (first + done) / 8;
      const __m256i low = _mm256_packus_epi32(mantissas.Read(group), mantissas.Read(group + 1));
      const __m256i high =
          _mm256_packus_epi32(mantissas.Read(group + 2), mantissas.Read(group + 3));
      const __m256i mantissa =
          _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), in_order);
      const __m256i negative = NegativeBytes(field.signs + group);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + done),
                          _mm256_sub_epi8(_mm256_xor_si256(mantissa, negative), negative));
    }
    return done;
  });
}

size_t DecodeFieldBfloat16Avx2(const Field& field, size_t first, size_t count, float scale,
                               uint16_t* out) {
  return WithMantissasAvx2(field, [=](const auto& mantissas) {
    const bool exact = ExactInBfloat16(field, scale);
    const __m256 factor = _mm256_set1_ps(scale);
    const auto read = [=, &mantissas](size_t group) {
      const __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(mantissas.Read(group)), factor);
      const __m256i bits = _mm256_castps_si256(value);
      return exact ? _mm256_srli_epi32(bits, 16) : RoundToBfloat16(bits);
    };
    const size_t readable = mantissas.Readable(first, count);
    size_t done = 0;
    for (; done + 16 <= readable; done += 16) {
      const size_t group = (first + done) / 8;
      // Packing works in each half of a register, so quarters come out in turn.
      const __m256i magnitude =
          _mm256_permute4x64_epi64(_mm256_packus_epi32(read(group), read(group + 1)), 0b11011000);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + done),
                          _mm256_xor_si256(magnitude, SignBits(field.signs + group)));
    }
    return done;
  });
}

}  // namespace bitplex::internal
