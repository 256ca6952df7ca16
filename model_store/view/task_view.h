// A task's weights as they lie in the fused words. A view owns nothing and copies nothing.
#pragma once

#include <cstddef>
#include <memory>
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

// One task's part of a store. Points into the store, which must outlive it. Immutable: any number
// of threads may read it. After FusedStore::Open no call here can fail.
class TaskView {
 public:
  struct Conv {
    Field field;                          // Signs and bits, already set for the reading.
    absl::Span<const int16_t> exponents;  // One, or one for each output channel.
  };

  // Spans as in FORMAT.md; `arch` and they outlive the view.
  TaskView(const Architecture& arch, std::vector<Conv> convs,
           std::vector<BatchNormParams> batch_norms, LinearParams classifier)
      : arch_(&arch),
        convs_(std::move(convs)),
        batch_norms_(std::move(batch_norms)),
        classifier_(classifier) {}

  // The same weights, read as `reading` says; `this` must read kMask.
  TaskView WithReading(Reading reading) const;

  const Architecture& arch() const { return *arch_; }

  // Decodes `count` output channels of convolution `conv` from `first` on into `out`
  // (count x row_count values, OHWI order).
  void DecodeConv(size_t conv, size_t first, size_t count, float* out) const;

  const BatchNormParams& BatchNorm(size_t conv) const { return batch_norms_[conv]; }
  const LinearParams& Classifier() const { return classifier_; }

  // A reader that decodes each asked-for piece into `scratch` (at least ScratchFloats(arch())
  // values); both must outlive it.
  std::unique_ptr<WeightSource> MakeScratchSource(absl::Span<float> scratch) const;

 private:
  const Architecture* arch_;
  std::vector<Conv> convs_;
  std::vector<BatchNormParams> batch_norms_;
  LinearParams classifier_;
};

// The most values that one WeightSource::Conv call of `arch` can ask for.
size_t ScratchFloats(const Architecture& arch);

}  // namespace bitplex
