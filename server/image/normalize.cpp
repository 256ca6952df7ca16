#include "server/image/normalize.h"

#include <cassert>
#include <cstddef>

namespace bitplex {

void NormalizeRgb8(absl::Span<const uint8_t> rgb, const std::array<float, 3>& mean,
                   const std::array<float, 3>& std, absl::Span<float> out) {
  assert(rgb.size() == out.size() && rgb.size() % 3 == 0);
  // 768 divisions instead of one or two for every value of the picture.
  std::array<std::array<float, 256>, 3> table;
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t value = 0; value < 256; ++value) {
      const float unit = static_cast<float>(value) / 255.0f;
      table[channel][value] = (unit - mean[channel]) / std[channel];
    }
  }
  for (size_t i = 0; i + 2 < rgb.size(); i += 3) {
    out[i] = table[0][rgb[i]];
    out[i + 1] = table[1][rgb[i + 1]];
    out[i + 2] = table[2][rgb[i + 2]];
  }
}

}  // namespace bitplex
