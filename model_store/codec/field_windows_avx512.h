// The mantissas of a field, a register at a time. Only for files compiled for AVX-512.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "model_store/codec/field.h"

namespace bitplex::internal {

// Byte permutations gather, for each word, the window of kLaneBytes bytes that its field lies in; a
// shift by lane and a mask leave the mantissa. The words of a step are read in kParts loads of at
// most 64 bytes. A part is a multiple of 8 words, so it starts on a byte, and one permutation suits
// all parts.
template <size_t kLaneBytes, size_t kParts>
class MantissasAvx512 {
 public:
  static constexpr size_t kLanes = 64 / kLaneBytes;

  explicit MantissasAvx512(const Field& field) : part_bytes_(kPartLanes * field.word_bits / 8) {
    alignas(64) uint8_t index[64];
    alignas(64) uint8_t shift[64] = {};
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t bit = lane % kPartLanes * field.word_bits + field.shift;
      shift[lane * kLaneBytes] = bit % 8;
      for (size_t b = 0; b < kLaneBytes; ++b) {
        // A window may stick out of the part; the field itself does not.
        const size_t byte = bit / 8 + b < part_bytes_ ? bit / 8 + b : part_bytes_ - 1;
        index[lane * kLaneBytes + b] = static_cast<uint8_t>(byte);
      }
    }
    permutation_ = _mm512_load_si512(index);
    shift_ = _mm512_load_si512(shift);
    const unsigned mask = (1u << field.bits) - 1;
    mask_ = kLaneBytes == 2 ? _mm512_set1_epi16(static_cast<int16_t>(mask))
                            : _mm512_set1_epi32(static_cast<int>(mask));
    read_ = FirstBytes(part_bytes_);
  }

  // Bytes that kLanes words fill.
  size_t step_bytes() const { return kParts * part_bytes_; }

  // The mantissas of the kLanes words that start at `words`, one a lane. Masked loads read nothing
  // beyond them.
  __m512i Read(const uint8_t* words) const {
    __m512i window = _mm512_permutexvar_epi8(permutation_, _mm512_maskz_loadu_epi8(read_, words));
    for (size_t part = 1; part < kParts; ++part) {
      const __m512i bytes = _mm512_maskz_loadu_epi8(read_, words + part * part_bytes_);
      const __mmask64 lanes = FirstBytes(64 / kParts) << (64 / kParts * part);
      window = _mm512_mask_permutexvar_epi8(window, lanes, permutation_, bytes);
    }
    if constexpr (kLaneBytes == 2) {
      window = _mm512_srlv_epi16(window, shift_);
    } else {
      window = _mm512_srlv_epi32(window, shift_);
    }
    return _mm512_and_si512(window, mask_);
  }

 private:
  static constexpr size_t kPartLanes = kLanes / kParts;
  static_assert(kPartLanes % 8 == 0);
  static constexpr __mmask64 FirstBytes(size_t bytes) {
    return bytes >= 64 ? ~0ull : (1ull << bytes) - 1;
  }

  size_t part_bytes_;
  __m512i permutation_;
  __m512i shift_;
  __m512i mask_;
  __mmask64 read_;
};

// decode(MantissasAvx512<...>), with the fewest parts. Lanes of two bytes fit fields of at most 9
// bits, those of four bytes every field. `decode` comes by value, and best holds values: what it
// referred to would be read again after each store.
template <size_t kLaneBytes, typename Decode>
size_t WithMantissasAvx512(const Field& field, Decode decode) {
  constexpr size_t kOnePart = 8 * kLaneBytes;  // Bits of the widest words that fit one load.
  if (field.word_bits <= kOnePart) return decode(MantissasAvx512<kLaneBytes, 1>(field));
  if constexpr (kLaneBytes == 2) {
    if (field.word_bits > 2 * kOnePart) return decode(MantissasAvx512<kLaneBytes, 4>(field));
  }
  return decode(MantissasAvx512<kLaneBytes, 2>(field));
}

}  // namespace bitplex::internal
