// What an executor reads: one task's parameters, in the architecture's order.
#pragma once

#include <cstddef>

#include "absl/types/span.h"

namespace bitplex {

// A batch norm's parameters and statistics, one value a channel.
struct BatchNormParams {
  absl::Span<const float> weight;
  absl::Span<const float> bias;
  absl::Span<const float> running_mean;
  absl::Span<const float> running_var;
};

struct LinearParams {
  absl::Span<const float> weight;  // (outputs, inputs), row-major.
  absl::Span<const float> bias;    // (outputs).
};

// Not thread-safe: one run at a time.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The float32 weights of `count` output channels of convolution `conv` from `first` on, in OHWI
  // order (output channel, row, column, input channel). Valid until the next call. No call asks for
  // more than ConvChunkChannels(layer) channels.
  virtual absl::Span<const float> Conv(size_t conv, size_t first, size_t count) = 0;

  // Valid as long as the source.
  virtual BatchNormParams BatchNorm(size_t conv) const = 0;
  virtual LinearParams Classifier() const = 0;
};

}  // namespace bitplex
