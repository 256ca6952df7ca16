// Fuses networks of one architecture, trained apart, into one store.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/format/store_writer.h"
#include "model_store/format/task_info.h"

namespace bitplex {

struct FuseTask {
  TaskInfo info;
  Checkpoint checkpoint;  // Has been checked against the architecture.
};

// The sections of a store of `tasks`, the first of which gets the highest bits of every word.
// INVALID_ARGUMENT: no task, more than 64, two of one name, widths whose sum is beyond 64.
absl::StatusOr<std::vector<StoreSection>> FuseSections(const Architecture& arch,
                                                       const std::vector<FuseTask>& tasks);

// FuseSections, then WriteStore.
absl::Status FuseToFile(const Architecture& arch, const std::vector<FuseTask>& tasks,
                        const std::string& path);

}  // namespace bitplex
