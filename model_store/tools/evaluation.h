// Accuracy of one task on a labelled set of images.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/dataset/cifar.h"
#include "model_store/format/task_info.h"
#include "server/executor/executor.h"

namespace bitplex {

struct Evaluation {
  std::vector<size_t> predictions;  // The best class, one an image.
  size_t correct = 0;
  size_t correct_top5 = 0;
  double seconds = 0;
};

struct EvaluationOptions {
  size_t threads = 1;  // Each runs batches of its own.
  size_t batch = 8;    // Results do not depend on it; 8 is where a core's throughput stops growing.
};

// Runs all `images`, of the architecture's input size, through `network`, materialised whole. Draws
// a progress bar.
absl::StatusOr<Evaluation> Evaluate(const Network& network, const Architecture& arch,
                                    const TaskInfo& task, const CifarImages& images,
                                    const EvaluationOptions& options);

}  // namespace bitplex
