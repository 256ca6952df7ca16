// The safetensors format: a length, a JSON header, then the tensors' bytes without gaps.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {

// Whether the bytes begin as a safetensors file does.
bool LooksLikeSafetensors(absl::Span<const uint8_t> file);

// Lists the tensors. `file` must outlive the result. DATA_LOSS when the file breaks the format,
// INVALID_ARGUMENT for a tensor of integers other than an ignored one.
absl::StatusOr<RawTensors> ReadSafetensors(absl::Span<const uint8_t> file);

}  // namespace bitplex::checkpoint
