// How wide the activations of one layer are, and the 8-bit scale that fits them best.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace bitplex {

// What a scale is chosen by. Values beyond the largest integer are clipped to it.
enum class ScaleMethod : uint8_t {
  kMax,         // Nothing is clipped.
  kPercentile,  // One value in 10,000 is clipped.
  kMse,         // The least squared error, over 100 ranges from 1 % to all of the largest value.
};

// Filled in two passes over the same values: first Widen, then Count. Not thread-safe.
class ActivationRange {
 public:
  void Widen(absl::Span<const float> values);
  void Count(absl::Span<const float> values);

  // The value of one unit of integers up to `levels` (127 or 255), a normal number. 1 when all
  // values were nought, or too small for that. Of finite values.
  float Scale(ScaleMethod method, int levels) const;

  float largest() const { return largest_; }
  bool finite() const { return finite_; }  // All values were.

 private:
  static constexpr size_t kBins = 8192;

  float Percentile() const;
  float LeastSquares(int levels) const;

  bool finite_ = true;
  float largest_ = 0;                   // Absolute value.
  std::array<uint64_t, kBins> bins_{};  // Of absolute values, up to the largest.
  uint64_t count_ = 0;
};

}  // namespace bitplex
