// What the shape of an `image` tensor says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex::oip {

// The most images of one request. Each is a job of its own in the task's queue, so that more would
// let one caller fill it.
inline constexpr size_t kMaxInferImages = 64;

enum class Layout { kInterleaved, kPlanar };  // Rows, columns, 3; or 3, rows, columns.

struct ImageShape {
  size_t count = 0;
  size_t height = 0;  // Pixels.
  size_t width = 0;
  Layout layout = Layout::kInterleaved;

  size_t image_elements() const { return height * width * 3; }
  size_t elements() const { return count * image_elements(); }
};

// Of pixels: [N, rows, columns, 3], or else [N, 3, rows, columns]; with 3 in both places it is the
// first. No axis is zero, no side longer than kMaxImageSide, so that no product overflows.
// INVALID_ARGUMENT.
absl::StatusOr<ImageShape> ReadPixelShape(absl::Span<const int64_t> shape);

// Of files: N, from [N] or [N, 1]. INVALID_ARGUMENT.
absl::StatusOr<size_t> ReadFileShape(absl::Span<const int64_t> shape);

// "[1, 3, 32, 32]"; the first few axes of a long one.
std::string ShapeText(absl::Span<const int64_t> shape);

}  // namespace bitplex::oip
