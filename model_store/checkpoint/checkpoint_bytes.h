// Checkpoint reading from memory: what checkpoint.h offers, without a file. Tests and fuzzing use
// it.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/checkpoint/checkpoint.h"

namespace bitplex::checkpoint {

// As bitplex::ReadCheckpoint; `file_name` and `sha256` stay empty.
absl::StatusOr<Checkpoint> ReadCheckpointBytes(absl::Span<const uint8_t> file,
                                               const Architecture& arch);

// As bitplex::DetectArchitecture.
absl::StatusOr<const Architecture*> DetectArchitectureBytes(absl::Span<const uint8_t> file);

}  // namespace bitplex::checkpoint
