// A task ready to be served: what it answers with, and where its weights come from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/format/fused_store.h"
#include "model_store/fuse/task_spec.h"
#include "model_store/view/weight_source.h"
#include "server/executor/executor.h"

namespace bitplex {

struct Servable {
  TaskInfo info;
  const Architecture* arch;
  std::string version;  // Names the exact weights: the store's id, or the checkpoint's digest.
  std::string reading;  // "mask", "dither", or "float32" for a plain model.

  std::shared_ptr<const WeightSource> source;  // Into the set's store, or a plain model.
  std::shared_ptr<const Network> network;      // Runs it. Null until PrepareNetworks.
  // A plain model's weights, held all the time: there is no store to make them of again.
  std::shared_ptr<const PackedWeights> resident;
  size_t plain_bytes = 0;  // What `source` itself holds of a plain model.

  size_t classes() const { return info.labels.size(); }
};

// All that one server answers for. Immutable: any number of threads may read it.
struct ServableSet {
  std::shared_ptr<const FusedStore> store;  // Null for plain models. Views point into it.
  std::vector<Servable> tasks;

  // False once the store's file was seen written to in place: what is read of it is wrong then.
  // True for plain models, which have no file open.
  bool Unchanged() const { return store == nullptr || store->Unchanged(); }

  // NOT_FOUND lists the tasks there are.
  absl::StatusOr<size_t> Find(std::string_view name) const;
};

// Has `executor` prepare every task in the type `asked` for, or the one that ChoosePrecision finds.
// Errors name the task.
absl::Status PrepareNetworks(const Executor& executor, std::optional<Precision> asked,
                             ServableSet& set);

// Every task of the store at `path`. Errors as FusedStore::Open.
absl::StatusOr<ServableSet> LoadStore(const std::string& path, Reading reading);

// One plain float32 model per task, for comparison. `arch_name` may be empty: told by the tensors.
absl::StatusOr<ServableSet> LoadSeparate(const std::vector<TaskSpec>& specs,
                                         const std::string& arch_name);

}  // namespace bitplex
