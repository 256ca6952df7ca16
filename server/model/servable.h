// A task ready to be served: what it answers with, and where its weights come from.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/format/fused_store.h"
#include "model_store/fuse/task_spec.h"
#include "model_store/view/materialized_weights.h"

namespace bitplex {

struct Servable {
  TaskInfo info;
  const Architecture* arch;
  std::string version;  // Names the exact weights: the store's id, or the checkpoint's digest.
  std::string reading;  // "mask", "dither", or "float32" for a plain model.

  // One of the two.
  std::shared_ptr<const TaskView> view;                // Into the set's store.
  std::shared_ptr<const MaterializedWeights> weights;  // A plain model of its own.

  size_t classes() const { return info.labels.size(); }
};

// All that one server answers for. Immutable: any number of threads may read it.
struct ServableSet {
  std::shared_ptr<const FusedStore> store;  // Null for plain models. Views point into it.
  std::vector<Servable> tasks;

  // NOT_FOUND lists the tasks there are.
  absl::StatusOr<size_t> Find(std::string_view name) const;
};

// Every task of the store at `path`. Errors as FusedStore::Open.
absl::StatusOr<ServableSet> LoadStore(const std::string& path, Reading reading);

// One plain float32 model per task, for comparison. `arch_name` may be empty: told by the tensors.
absl::StatusOr<ServableSet> LoadSeparate(const std::vector<TaskSpec>& specs,
                                         const std::string& arch_name);

}  // namespace bitplex
