// Measures the activation scales that 8-bit arithmetic needs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model_store/calibrate/activation_range.h"
#include "model_store/fuse/fuse.h"
#include "server/executor/executor.h"

namespace bitplex {

// [TASK=]IMAGES.bin[,images=N][,method=mse|percentile|max]
struct CalibrationSpec {
  std::string task;  // Empty: every task.
  std::string path;  // A CIFAR binary file, of training images: never of those that are tested on.
  size_t images = 500;
  ScaleMethod method = ScaleMethod::kMse;
};

// INVALID_ARGUMENT shows the item that cannot be read and what is possible.
absl::StatusOr<CalibrationSpec> ParseCalibrationSpec(std::string_view text);

// Runs the images through the task's network in float32, its weights rounded as they are going to
// be fused, and fills in `task.info`'s activation scales and how they were measured. Draws a
// progress bar. Errors as ReadCifar; INVALID_ARGUMENT when the architecture does not take CIFAR
// images, or an activation is not finite.
absl::Status Calibrate(const Executor& executor, const Architecture& arch,
                       const CalibrationSpec& spec, FuseTask& task);

}  // namespace bitplex
