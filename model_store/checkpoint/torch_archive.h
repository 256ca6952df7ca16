// PyTorch's zip format (1.6 and later): torch.save of a state dict or a module, and torch.jit.save.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {

// Whether the bytes begin as a zip file, or as a pickle, does.
bool LooksLikeZip(absl::Span<const uint8_t> file);
bool LooksLikePickle(absl::Span<const uint8_t> file);

// Lists the tensors. `file` must outlive the result. DATA_LOSS when the file is damaged,
// INVALID_ARGUMENT when it is a zip file or a PyTorch file of another kind.
absl::StatusOr<RawTensors> ReadTorchArchive(absl::Span<const uint8_t> file);

}  // namespace bitplex::checkpoint
