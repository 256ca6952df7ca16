// The last step before the network: 8-bit colours become normalised floats.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"

namespace bitplex {

// out[i] = (rgb[i] / 255 - mean[c]) / std[c], where c = i % 3. Three float32 operations, each
// rounded to nearest, in exactly this order: what torchvision's ToTensor and Normalize do, to the
// last bit. Pixels keep their order (row, column, channel). `out` is as long as `rgb`, a multiple
// of 3; no `std` is zero.
void NormalizeRgb8(absl::Span<const uint8_t> rgb, const std::array<float, 3>& mean,
                   const std::array<float, 3>& std, absl::Span<float> out);

}  // namespace bitplex
