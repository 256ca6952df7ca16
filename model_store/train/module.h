// What a trainer module exports: one function that makes a trainer.
#pragma once

#include "absl/status/status.h"
#include "model_store/train/trainer.h"

namespace bitplex {

// Raised whenever Trainer, Architecture or Tensor change.
inline constexpr int kTrainerModuleVersion = 1;
inline constexpr char kCreateTrainerSymbol[] = "BitplexCreateTrainer";

// Null when `version` is not the module's own, or with a reason in `status`. The caller owns the
// trainer.
using CreateTrainerFunction = Trainer* (*)(int version, const Architecture& arch,
                                           const TrainerOptions& options, absl::Status& status);

}  // namespace bitplex
