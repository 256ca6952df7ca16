// Eight words a step.
#include <immintrin.h>

#include "model_store/codec/field_kernels.h"
#include "model_store/codec/field_windows_avx2.h"

namespace bitplex::internal {

size_t DecodeFieldAvx2(const Field& field, size_t first, size_t count, float scale, float* out) {
  return WithMantissasAvx2(field, [&](const auto& mantissas) {
    const __m256 factor = _mm256_set1_ps(scale);
    const size_t readable = mantissas.Readable(first, count);
    size_t done = 0;
    for (; done + 8 <= readable; done += 8) {
      const size_t group = (first + done) / 8;
      const __m256i value = Float32BitsAvx2(mantissas.Read(group), factor, field.signs[group]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + done), value);
    }
    return done;
  });
}

}  // namespace bitplex::internal
