// One task's own float32 network, straight from its checkpoint: what a store is compared with.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model_store/fuse/task_spec.h"
#include "model_store/view/plain_weights.h"

namespace bitplex {

struct PlainModel {
  const Architecture* arch;
  TaskInfo info;  // Its bits mean nothing: the model is not fused.
  std::shared_ptr<const PlainWeights> weights;
};

// Reads `spec.checkpoint`. An empty `arch_name` is told by its tensors; a spec without a name is
// the preset task with as many classes. Errors as ReadCheckpoint and DescribeTask.
absl::StatusOr<PlainModel> LoadPlainModel(TaskSpec spec, const std::string& arch_name);

}  // namespace bitplex
