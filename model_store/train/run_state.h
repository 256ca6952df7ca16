// What a run has come to: enough to continue it exactly, kept in OUT.state.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/train/trainer.h"

namespace bitplex {

// One finished epoch.
struct EpochMetrics {
  size_t epoch = 0;           // From 1.
  double learning_rate = 0;   // Of its last step.
  double loss = 0;            // Mean over the images, as they were trained.
  double train_accuracy = 0;  // Percent, likewise.
  std::string measured_on;    // "test" or "holdout".
  size_t measured_correct = 0;
  size_t measured_images = 0;
  double images_per_second = 0;  // Of the training, without the measuring.
};

std::string MetricsCsv(const std::vector<EpochMetrics>& epochs);

struct RunState {
  NetworkState network;
  size_t epoch = 0;        // Finished epochs.
  size_t step = 0;         // Finished steps of the next one.
  Trainer::Totals totals;  // Of those steps.
  double seconds = 0;      // Spent on them.
  std::vector<EpochMetrics> metrics;
  std::map<std::string, std::string> settings;  // All that decides the result, by option.
};

// A safetensors file, replaced in one step.
absl::Status WriteRunState(const std::string& path, const RunState& state);

// NOT_FOUND when there is none. FAILED_PRECONDITION when it was made with other settings than
// `settings`, naming the first difference; DATA_LOSS or INVALID_ARGUMENT when it is damaged.
absl::StatusOr<RunState> ReadRunState(const std::string& path, const Architecture& arch,
                                      size_t classes,
                                      const std::map<std::string, std::string>& settings);

}  // namespace bitplex
