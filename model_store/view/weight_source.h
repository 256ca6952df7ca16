// What an executor reads: one task's parameters, in the architecture's order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "model_store/arch/architecture.h"

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

// Immutable: any number of threads may read it. What it returns is valid as long as it lives.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  virtual const Architecture& arch() const = 0;

  // Mantissa bits of the widest convolution; kMaxFieldBits for float32 weights.
  virtual unsigned mantissa_bits() const = 0;

  // Each writes the weights of `count` output channels of convolution `conv` from `first` on, count
  // x row_count values in OHWI order (output channel, row, column, input channel).
  virtual void DecodeFloat32(size_t conv, size_t first, size_t count, float* out) const = 0;
  // bfloat16: the upper half of a float32. Rounded to nearest even beyond 8 mantissa bits.
  virtual void DecodeBfloat16(size_t conv, size_t first, size_t count, uint16_t* out) const = 0;
  // Weight = out x the channel's Int8Scale. Beyond 7 mantissa bits rounded, each channel to its own
  // largest weight.
  virtual void DecodeInt8(size_t conv, size_t first, size_t count, int8_t* out) const = 0;
  virtual float Int8Scale(size_t conv, size_t channel) const = 0;

  // The float32 weights of a convolution, whole, where they lie in memory as they are; else null.
  virtual const float* Float32InMemory(size_t conv) const = 0;

  virtual BatchNormParams BatchNorm(size_t conv) const = 0;
  virtual LinearParams Classifier() const = 0;

  // How the network's activations are held in 8 bits: the value of one unit of the input (signed),
  // then of what follows each convolution (after the ReLU, unsigned; of a downsample convolution,
  // before the sum, signed). Empty when they have not been measured.
  virtual absl::Span<const float> ActivationScales() const = 0;
};

}  // namespace bitplex
