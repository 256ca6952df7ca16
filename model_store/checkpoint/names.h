// Tensor names: from the forms that training code writes to torchvision's.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {

// Batch norm's step counter: an integer that inference does not need.
bool IsIgnoredName(std::string_view name);

// Renames the entries: drops ignored names, strips the wrappers' prefixes that all names share
// (`module.`, `model.`, `_orig_mod.`), then `shortcut.` -> `downsample.` and `linear.` -> `fc.`.
// INVALID_ARGUMENT when two names become one.
absl::Status UseTorchvisionNames(RawTensors& raw);

}  // namespace bitplex::checkpoint
