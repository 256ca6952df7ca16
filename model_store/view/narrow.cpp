#include "model_store/view/narrow.h"

#include <algorithm>
#include <cmath>

namespace bitplex {

float Int8ScaleOf(const float* values, size_t count) {
  float largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest / 127;
}

void RoundToInt8(const float* values, size_t count, int8_t* out) {
  const float scale = Int8ScaleOf(values, count);
  for (size_t i = 0; i < count; ++i) {
    const float units = scale > 0 ? values[i] / scale : 0.0f;
    out[i] = static_cast<int8_t>(std::lround(std::clamp(units, -127.0f, 127.0f)));
  }
}

}  // namespace bitplex
