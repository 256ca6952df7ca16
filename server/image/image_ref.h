// A picture as a client sent it. Owns nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace bitplex {

struct ImageRef {
  bool encoded = true;  // A JPEG, PNG, WebP or BMP file; else RGB8 of the size below.
  absl::Span<const uint8_t> bytes = {};
  size_t height = 0;  // Pixels; raw images only.
  size_t width = 0;
  // Unless empty, the network's input itself: normalised; row, column, channel. Then nothing above
  // is looked at.
  absl::Span<const float> normalized = {};
};

}  // namespace bitplex
