// One training run from the first step, or from where it was stopped, to the checkpoint.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/train/recipe.h"
#include "model_store/train/trainer.h"
#include "model_store/train/training_data.h"

namespace bitplex {

struct TrainingJob {
  const Architecture* arch = nullptr;
  Recipe recipe;
  TrainerOptions trainer;
  // The checkpoint, safetensors. Beside it OUT.csv, the figures of every epoch, and until the run
  // is done OUT.state. All are replaced in one step.
  std::string out;
  // The network to start from, of this architecture; must outlive the run. None: random weights.
  const Checkpoint* init = nullptr;
  // Continue from OUT.state when it is there; when only the checkpoint is there, the run is done.
  bool resume = false;
  // What else decides the result, for the state and the checkpoint's metadata.
  std::map<std::string, std::string> settings;
};

// How many test images a finished network gets right, as `bitplex evaluate` would count them.
using CountCorrect = std::function<absl::StatusOr<size_t>(const Checkpoint&)>;

// Trains and writes. A line for each epoch goes to `out`, a progress bar to standard error. `stop`
// is asked after every step: when it says yes, the state is saved in the middle of the epoch and
// the result is CANCELLED. FAILED_PRECONDITION when OUT.state is there and `resume` is not set, or
// is of other options; OUT_OF_RANGE when the loss is no longer a number.
absl::Status RunTraining(const TrainingJob& job, const TrainingData& data, Trainer& trainer,
                         const CountCorrect& count_correct, const std::function<bool()>& stop,
                         std::ostream& out);

}  // namespace bitplex
