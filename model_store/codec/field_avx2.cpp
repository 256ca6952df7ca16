// Eight words a step. Eight words of w bits are w whole bytes, so every group starts on a byte and
// the lanes' byte offsets and shifts are the same in each.
#include <immintrin.h>

#include <cstring>

#include "model_store/codec/field_kernels.h"

namespace bitplex::internal {
namespace {

constexpr size_t kLanes = 8;

struct LanePlan {
  alignas(32) uint32_t byte[kLanes];   // Where the lane's 32-bit window starts in the group.
  alignas(32) uint32_t shift[kLanes];  // Bits of the window below the field.

  explicit LanePlan(const Field& field) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t bit = lane * field.word_bits + field.shift;
      byte[lane] = static_cast<uint32_t>(bit / 8);
      shift[lane] = bit % 8;
    }
  }
};

// One byte shuffle a half, where four windows lie within 16 bytes.
class ShuffleWindows {
 public:
  explicit ShuffleWindows(const LanePlan& plan) : low_(plan.byte[0]), high_(plan.byte[4]) {
    alignas(32) uint8_t index[32];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const uint32_t start = plan.byte[lane] - (lane < 4 ? low_ : high_);
      for (uint32_t b = 0; b < 4; ++b) index[4 * lane + b] = static_cast<uint8_t>(start + b);
    }
    index_ = _mm256_load_si256(reinterpret_cast<const __m256i*>(index));
  }
  static bool Fits(const LanePlan& plan) {
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
class LoadWindows {
 public:
  explicit LoadWindows(const LanePlan& plan) : plan_(plan) {}
  size_t reach() const { return plan_.byte[kLanes - 1] + 4; }
  __m256i Load(const uint8_t* group) const {
    alignas(32) uint32_t window[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      std::memcpy(&window[lane], group + plan_.byte[lane], 4);
    }
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(window));
  }

 private:
  const LanePlan& plan_;
};

template <typename Windows>
size_t Decode(const Field& field, const LanePlan& plan, const Windows& windows, size_t first,
              size_t count, float scale, float* out) {
  const size_t words_bytes = (field.count * field.word_bits + 7) / 8;
  const __m256i shift = _mm256_load_si256(reinterpret_cast<const __m256i*>(plan.shift));
  const __m256i mask = _mm256_set1_epi32(static_cast<int>((1u << field.bits) - 1));
  const __m256i sign_lane = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
  const __m256i sign_bit = _mm256_set1_epi32(INT32_MIN);
  const __m256 factor = _mm256_set1_ps(scale);
  size_t done = 0;
  for (; done + kLanes <= count; done += kLanes) {
    const size_t group = (first + done) / kLanes;
    const size_t start = group * field.word_bits;
    if (start + windows.reach() > words_bytes) break;
    __m256i mantissa = windows.Load(field.words + start);
    mantissa = _mm256_and_si256(_mm256_srlv_epi32(mantissa, shift), mask);
    const __m256 magnitude = _mm256_mul_ps(_mm256_cvtepi32_ps(mantissa), factor);
    const __m256i signs = _mm256_set1_epi32(field.signs[group]);
    const __m256i sign = _mm256_and_si256(_mm256_sllv_epi32(signs, sign_lane), sign_bit);
    _mm256_storeu_ps(out + done, _mm256_xor_ps(magnitude, _mm256_castsi256_ps(sign)));
  }
  return done;
}

}  // namespace

size_t DecodeFieldAvx2(const Field& field, size_t first, size_t count, float scale, float* out) {
  const LanePlan plan(field);
  if (ShuffleWindows::Fits(plan)) {
    return Decode(field, plan, ShuffleWindows(plan), first, count, scale, out);
  }
  return Decode(field, plan, LoadWindows(plan), first, count, scale, out);
}

}  // namespace bitplex::internal
