// From CIFAR images to a network's input.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/dataset/cifar.h"
#include "model_store/format/task_info.h"

namespace bitplex {

// INVALID_ARGUMENT when networks of `arch` take images of another size.
absl::Status CheckTakesCifar(const Architecture& arch);

// Writes `count` images from `first` on, normalised as `task` wants them, into `out` (count x
// kCifarImageBytes values).
void NormalizeCifar(const CifarImages& images, size_t first, size_t count, const TaskInfo& task,
                    absl::Span<float> out);

}  // namespace bitplex
