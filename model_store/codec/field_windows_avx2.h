// The mantissas of a field, eight words a register. Only for files compiled for AVX2.
//
// Eight words of w bits are w whole bytes, so every group of eight starts on a byte and the lanes'
// byte offsets and shifts are the same in each.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model_store/codec/field.h"

namespace bitplex::internal {

struct LanePlanAvx2 {
  alignas(32) uint32_t byte[8];   // Where the lane's 32-bit window starts in the group.
  alignas(32) uint32_t shift[8];  // Bits of the window below the field.

  explicit LanePlanAvx2(const Field& field) {
    for (size_t lane = 0; lane < 8; ++lane) {
      const size_t bit = lane * field.word_bits + field.shift;
      byte[lane] = static_cast<uint32_t>(bit / 8);
      shift[lane] = bit % 8;
    }
  }
};

// One byte shuffle a half, where four windows lie within 16 bytes.
class ShuffleWindowsAvx2 {
 public:
  explicit ShuffleWindowsAvx2(const LanePlanAvx2& plan) : low_(plan.byte[0]), high_(plan.byte[4]) {
    alignas(32) uint8_t index[32];
    for (size_t lane = 0; lane < 8; ++lane) {
      const uint32_t start = plan.byte[lane] - (lane < 4 ? low_ : high_);
      for (uint32_t b = 0; b < 4; ++b) index[4 * lane + b] = static_cast<uint8_t>(start + b);
    }
    index_ = _mm256_load_si256(reinterpret_cast<const __m256i*>(index));
  }
  static bool Fits(const LanePlanAvx2& plan) {
    return plan.byte[3] - plan.byte[0] + 4 <= 16 && plan.byte[7] - plan.byte[4] + 4 <= 16;
  }
  size_t reach() const { return high_ + 16; }
  __m256i Load(const uint8_t* group) const {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + low_));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(group + high_));
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), index_);
  }

 private:
  uint32_t low_;
  uint32_t high_;
  __m256i index_;
};

// Eight plain loads: a gather does the same work slower on many processors.
class LoadWindowsAvx2 {
 public:
  explicit LoadWindowsAvx2(const LanePlanAvx2& plan) : plan_(plan) {}
  size_t reach() const { return plan_.byte[7] + 4; }
  __m256i Load(const uint8_t* group) const {
    alignas(32) uint32_t window[8];
    for (size_t lane = 0; lane < 8; ++lane) {
      std::memcpy(&window[lane], group + plan_.byte[lane], 4);
    }
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(window));
  }

 private:
  const LanePlanAvx2& plan_;
};

template <typename Windows>
class MantissasAvx2 {
 public:
  MantissasAvx2(const Field& field, const LanePlanAvx2& plan) : field_(field), windows_(plan) {
    shift_ = _mm256_load_si256(reinterpret_cast<const __m256i*>(plan.shift));
    mask_ = _mm256_set1_epi32(static_cast<int>((1u << field.bits) - 1));
  }

  // How many of `count` words from `first` on lie in groups whose windows stay within the field's
  // bytes. A multiple of 8, or `count`.
  size_t Readable(size_t first, size_t count) const {
    const size_t bytes = (field_.count * field_.word_bits + 7) / 8;
    if (bytes < windows_.reach()) return 0;
    const size_t end = 8 * ((bytes - windows_.reach()) / field_.word_bits + 1);
    if (first >= end) return 0;
    return count < end - first ? count : end - first;
  }

  // The mantissas of words 8 * group .. 8 * group + 7, one a 32-bit lane.
  __m256i Read(size_t group) const {
    const __m256i window = windows_.Load(field_.words + group * field_.word_bits);
    return _mm256_and_si256(_mm256_srlv_epi32(window, shift_), mask_);
  }

 private:
  const Field& field_;
  const Windows windows_;
  __m256i shift_;
  __m256i mask_;
};

// decode(MantissasAvx2<...>), with the windows that suit the field. `decode` comes by value, and
// best holds values: what it referred to would be read again after each store.
template <typename Decode>
size_t WithMantissasAvx2(const Field& field, Decode decode) {
  const LanePlanAvx2 plan(field);
  if (ShuffleWindowsAvx2::Fits(plan)) {
    return decode(MantissasAvx2<ShuffleWindowsAvx2>(field, plan));
  }
  return decode(MantissasAvx2<LoadWindowsAvx2>(field, plan));
}

}  // namespace bitplex::internal
