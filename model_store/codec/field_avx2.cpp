// Eight words a step.
#include <immintrin.h>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx2.h"

namespace bitplex::internal {

size_t DecodeFieldAvx2(const Field& field, size_t first, size_t count, float scale, float* out) {
  return WithMantissasAvx2(field, [=](const auto& mantissas) {
    const __m256i sign_lane = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
    const __m256i sign_bit = _mm256_set1_epi32(INT32_MIN);
    const __m256 factor = _mm256_set1_ps(scale);
    const size_t readable = mantissas.Readable(first, count);
    size_t done = 0;
    for (; done + 8 <= readable; done += 8) {
      const size_t group = (first + done) / 8;
      const __m256 magnitude = _mm256_mul_ps(_mm256_cvtepi32_ps(mantissas.Read(group)), factor);
      const __m256i signs = _mm256_set1_epi32(field.signs[group]);
      const __m256i sign = _mm256_and_si256(_mm256_sllv_epi32(signs, sign_lane), sign_bit);
      _mm256_storeu_ps(out + done, _mm256_xor_ps(magnitude, _mm256_castsi256_ps(sign)));
    }
    return done;
  });
}

}  // namespace bitplex::internal
