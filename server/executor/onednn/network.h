// One task run by oneDNN.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "server/executor/executor.h"
#include "server/executor/onednn/convolution.h"
#include "server/executor/onednn/folded.h"
#include "server/executor/onednn/steps.h"

namespace bitplex::onednn {

class OnednnNetwork final : public Network {
 public:
  // Creates the primitives for single images. INTERNAL when oneDNN cannot.
  static absl::StatusOr<std::unique_ptr<const Network>> Make(
      std::shared_ptr<const WeightSource> source, Precision precision);

  Precision precision() const override { return precision_; }
  absl::StatusOr<std::shared_ptr<const PackedWeights>> Pack() const override;
  size_t packed_bytes() const override { return packed_bytes_; }
  absl::Status Run(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                   absl::Span<float> logits) const override;
  absl::Status RunLayerwise(absl::Span<std::byte> scratch, absl::Span<const float> images,
                            size_t count, absl::Span<float> logits) const override;
  size_t scratch_bytes() const override { return scratch_bytes_; }
  absl::Status Observe(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                       const Observer& observe) const override;

 private:
  // The primitives for so many images at once: for all steps, and the pool.
  struct Primitives {
    std::vector<Convolution> convolutions;
    size_t scratchpad_bytes = 0;  // The most that one of them needs.
    dnnl::memory::desc pool_in, pool_out;
    dnnl::pooling_forward pool;
  };
  // Images run in groups of 8, and what is left one by one, or as a group that is not full where
  // that is faster. Only two sizes, because each costs megabytes of generated code.
  static constexpr std::array<size_t, 2> kGroups = {1, 8};

  // Gives the packed weights of step `step`.
  using ReadStep = std::function<const std::byte*(size_t step)>;

  OnednnNetwork(std::shared_ptr<const WeightSource> source, Precision precision);

  std::unique_ptr<Primitives> Create(size_t images) const;
  const Primitives& Group(size_t index) const;
  size_t Padded(size_t count) const;
  void PackStep(size_t step, std::byte* out) const;
  void RunStep(size_t step, const dnnl::stream& stream, const std::byte* weights, size_t count,
               std::byte* const* slots, std::byte* scratchpad) const;
  void RunPool(const dnnl::stream& stream, size_t count, std::byte* const* slots) const;
  absl::Status Forward(const ReadStep& read, absl::Span<const float> images, size_t count,
                       const Observer& observe, absl::Span<float> logits) const;

  const std::shared_ptr<const WeightSource> source_;
  const Architecture& arch_;
  const Precision precision_;
  const dnnl::engine engine_;
  const Program program_;
  std::vector<float> activation_scales_;  // As int8 uses them; else empty.
  std::vector<Folded> folded_;            // One a step.
  std::vector<size_t> offsets_;           // Of each step's packed weights.
  size_t pad_from_;  // The fewest images for which a group is faster than single images.
  size_t packed_bytes_ = 0;
  size_t scratch_bytes_ = 0;
  // The second is made when it is first needed.
  mutable std::array<std::unique_ptr<Primitives>, kGroups.size()> groups_;
  mutable std::once_flag large_group_made_;
};

}  // namespace bitplex::onednn
