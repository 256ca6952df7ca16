// Sixteen words a step.
#include <immintrin.h>

#include <cstring>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx512.h"

namespace bitplex::internal {

size_t DecodeFieldAvx512(const Field& field, size_t first, size_t count, float scale, float* out) {
  return WithMantissasAvx512<4>(field, [=](const auto& mantissas) {
    const __m512 factor = _mm512_set1_ps(scale);
    const __m512 sign_bit = _mm512_set1_ps(-0.0f);
    const uint8_t* words = field.words + first / 8 * field.word_bits;
    const uint8_t* signs = field.signs + first / 8;
    size_t done = 0;
    for (; done + 16 <= count; done += 16, words += mantissas.step_bytes(), signs += 2) {
      const __m512 magnitude = _mm512_mul_ps(_mm512_cvtepi32_ps(mantissas.Read(words)), factor);
      uint16_t negative;
      std::memcpy(&negative, signs, sizeof(negative));
      _mm512_storeu_ps(out + done, _mm512_mask_xor_ps(magnitude, negative, magnitude, sign_bit));
    }
    return done;
  });
}

}  // namespace bitplex::internal
