// One task's weights in float32, ready to run, in memory of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/util/mapped_buffer.h"
#include "model_store/view/task_view.h"
#include "model_store/view/weight_source.h"

namespace bitplex {

// Owning and immutable: any number of threads may read it. The memory goes back to the system when
// the object dies.
class MaterializedWeights {
 public:
  // Decodes every convolution of `view`. Batch norms and the classifier stay in the store, which
  // must outlive the result. RESOURCE_EXHAUSTED when there is no memory.
  static absl::StatusOr<std::shared_ptr<const MaterializedWeights>> FromView(const TaskView& view);

  // Copies a whole checkpoint; needs nothing afterwards.
  static absl::StatusOr<std::shared_ptr<const MaterializedWeights>> FromCheckpoint(
      const Checkpoint& checkpoint, const Architecture& arch);

  // What FromView would hold, known before it is called.
  static size_t BytesFor(const Architecture& arch);

  size_t bytes() const { return buffer_.bytes(); }
  std::string_view type() const { return "float32"; }

  // A reader for one run; `this` must outlive it.
  std::unique_ptr<WeightSource> MakeSource() const;

 private:
  class Source;

  MappedBuffer buffer_;
  std::vector<absl::Span<const float>> convs_;  // OHWI, in the architecture's order.
  std::vector<size_t> row_counts_;
  std::vector<BatchNormParams> batch_norms_;
  LinearParams classifier_;
};

}  // namespace bitplex
