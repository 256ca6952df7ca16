// Finds each task's tensors among a store's records and checks them against the architecture.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/format/layout.h"
#include "model_store/format/task_info.h"
#include "model_store/view/task_view.h"

namespace bitplex::format {

struct IndexedTask {
  TaskView view;   // Reading kMask. Points into the file.
  uint64_t bytes;  // What FusedStore::TaskBytes tells.
};

// One entry a task, in the order of `metadata`. `records` have passed ReadContainer. DATA_LOSS
// names the first tensor that is missing, doubled, unknown or of the wrong shape, size, field or
// exponent range.
absl::StatusOr<std::vector<IndexedTask>> IndexTasks(const Architecture& arch,
                                                    const StoreMetadata& metadata,
                                                    absl::Span<const Record> records,
                                                    absl::Span<const uint8_t> file);

}  // namespace bitplex::format
