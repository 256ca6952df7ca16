// One task's own float32 weights in memory, as a checkpoint has them: what a store is compared
// with.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/util/mapped_buffer.h"
#include "model_store/view/weight_source.h"

namespace bitplex {

// Owning. The memory goes back to the system when the object dies.
class PlainWeights final : public WeightSource {
 public:
  // Copies the whole checkpoint. `arch` outlives the result. RESOURCE_EXHAUSTED when there is no
  // memory.
  static absl::StatusOr<std::shared_ptr<const PlainWeights>> FromCheckpoint(
      const Checkpoint& checkpoint, const Architecture& arch);

  size_t bytes() const { return buffer_.bytes(); }

  const Architecture& arch() const override { return *arch_; }
  unsigned mantissa_bits() const override;
  void DecodeFloat32(size_t conv, size_t first, size_t count, float* out) const override;
  void DecodeBfloat16(size_t conv, size_t first, size_t count, uint16_t* out) const override;
  void DecodeInt8(size_t conv, size_t first, size_t count, int8_t* out) const override;
  float Int8Scale(size_t conv, size_t channel) const override;
  const float* Float32InMemory(size_t conv) const override { return convs_[conv].data(); }
  BatchNormParams BatchNorm(size_t conv) const override { return batch_norms_[conv]; }
  LinearParams Classifier() const override { return classifier_; }
  absl::Span<const float> ActivationScales() const override { return {}; }

 private:
  explicit PlainWeights(const Architecture& arch) : arch_(&arch) {}
  absl::Span<const float> Rows(size_t conv, size_t first, size_t count) const;

  const Architecture* arch_;
  MappedBuffer buffer_;
  std::vector<absl::Span<const float>> convs_;  // OHWI, in the architecture's order.
  std::vector<BatchNormParams> batch_norms_;
  LinearParams classifier_;
};

}  // namespace bitplex
