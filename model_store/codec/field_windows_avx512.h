// The mantissas of a field, a register at a time. Only for files compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "model_store/codec/field.h"

namespace bitplex::internal {

// One byte permutation gathers the window of kLaneBytes bytes that each word's field lies in; a
// shift by lane and a mask leave the mantissa.
template <size_t kLaneBytes>
class MantissasAvx512 {
 public:
  static constexpr size_t kLanes = 64 / kLaneBytes;

  // Whether the words of a step lie within the two registers that a permutation takes, and a field
  // at any bit of a byte within a lane. Lanes of four bytes fit every field.
  static bool Fits(const Field& field) {
    return GroupBytes(field) <= 128 && field.bits + 7 <= 8 * kLaneBytes;
  }

  explicit MantissasAvx512(const Field& field) : group_bytes_(GroupBytes(field)) {
    alignas(64) uint8_t index[64];
    alignas(64) uint8_t shift[64] = {};
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t bit = lane * field.word_bits + field.shift;
      shift[lane * kLaneBytes] = bit % 8;
      for (size_t b = 0; b < kLaneBytes; ++b) {
        // A window may stick out of the group; the field itself does not.
        const size_t byte = bit / 8 + b < group_bytes_ ? bit / 8 + b : group_bytes_ - 1;
        index[lane * kLaneBytes + b] = static_cast<uint8_t>(byte);
      }
    }
    permutation_ = _mm512_load_si512(index);
    shift_ = _mm512_load_si512(shift);
    const unsigned mask = (1u << field.bits) - 1;
    mask_ = kLaneBytes == 2 ? _mm512_set1_epi16(static_cast<int16_t>(mask))
                            : _mm512_set1_epi32(static_cast<int>(mask));
    // Masked loads read nothing beyond the group.
    low_bytes_ = FirstBytes(group_bytes_);
    high_bytes_ = FirstBytes(group_bytes_ > 64 ? group_bytes_ - 64 : 0);
  }

  // Bytes that kLanes words fill: a whole number, because those of 8 words are.
  size_t group_bytes() const { return group_bytes_; }

  // The mantissas of the kLanes words that start at `words`, one a lane.
  __m512i Read(const uint8_t* words) const {
    __m512i window = _mm512_maskz_loadu_epi8(low_bytes_, words);
    if (group_bytes_ > 64) {
      const __m512i high = _mm512_maskz_loadu_epi8(high_bytes_, words + 64);
      window = _mm512_permutex2var_epi8(window, permutation_, high);
    } else {
      window = _mm512_permutexvar_epi8(permutation_, window);
    }
    if constexpr (kLaneBytes == 2) {
      window = _mm512_srlv_epi16(window, shift_);
    } else {
      window = _mm512_srlv_epi32(window, shift_);
    }
    return _mm512_and_si512(window, mask_);
  }

 private:
  static size_t GroupBytes(const Field& field) { return kLanes / 8 * field.word_bits; }
  static __mmask64 FirstBytes(size_t bytes) { return bytes >= 64 ? ~0ull : (1ull << bytes) - 1; }

  size_t group_bytes_;
  __m512i permutation_;
  __m512i shift_;
  __m512i mask_;
  __mmask64 low_bytes_;
  __mmask64 high_bytes_;
};

}  // namespace bitplex::internal
