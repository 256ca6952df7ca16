// A task's weights as they lie in the fused words. A view owns nothing and copies nothing.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/codec/field.h"
#include "model_store/view/weight_source.h"

namespace bitplex {

// How a task's field is read. `kMask`: its own bits alone. `kDither`: the bits of the tasks below
// it in the word are left in, as noise under its last bit; of the two together the upper 24 bits
// count, which is all that float32 can hold. For the lowest task both are the same.
enum class Reading { kMask, kDither };

// One task's part of a store. Points into the store, which must outlive it. After FusedStore::Open
// no call here can fail.
class TaskView final : public WeightSource {
 public:
  struct Conv {
    Field field;                          // Signs and bits, already set for the reading.
    absl::Span<const int16_t> exponents;  // One, or one for each output channel.
  };
  // What is a task's alone. Spans as in FORMAT.md.
  struct Own {
    std::vector<BatchNormParams> batch_norms;
    LinearParams classifier;
    absl::Span<const float> activation_scales;
  };

  // `arch` and all that the spans point to outlive the view.
  TaskView(const Architecture& arch, std::vector<Conv> convs, Own own)
      : arch_(&arch), convs_(std::move(convs)), own_(std::move(own)) {}

  // The same weights, read as `reading` says; `this` must read kMask.
  TaskView WithReading(Reading reading) const;

  const Architecture& arch() const override { return *arch_; }
  unsigned mantissa_bits() const override;
  void DecodeFloat32(size_t conv, size_t first, size_t count, float* out) const override;
  void DecodeBfloat16(size_t conv, size_t first, size_t count, uint16_t* out) const override;
  void DecodeInt8(size_t conv, size_t first, size_t count, int8_t* out) const override;
  float Int8Scale(size_t conv, size_t channel) const override;
  const float* Float32InMemory(size_t) const override { return nullptr; }
  BatchNormParams BatchNorm(size_t conv) const override { return own_.batch_norms[conv]; }
  LinearParams Classifier() const override { return own_.classifier; }
  absl::Span<const float> ActivationScales() const override { return own_.activation_scales; }

 private:
  float Scale(size_t conv, size_t channel) const;

  const Architecture* arch_;
  std::vector<Conv> convs_;
  Own own_;
};

}  // namespace bitplex
