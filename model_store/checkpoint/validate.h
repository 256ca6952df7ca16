// Checks what a file holds against an architecture.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {

inline constexpr size_t kMostClasses = 100'000;

// Whether `raw`, under torchvision's names, holds exactly the architecture's tensors; returns the
// number of classes. INVALID_ARGUMENT names the first tensor that is missing, misshapen or extra.
absl::StatusOr<size_t> CheckShapes(const RawTensors& raw, const Architecture& arch);

// INVALID_ARGUMENT names the first element that is NaN or infinite or, in a running variance,
// negative.
absl::Status CheckValues(const std::string& name, const Tensor& tensor);

}  // namespace bitplex::checkpoint
