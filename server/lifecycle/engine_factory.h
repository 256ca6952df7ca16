// Makes engines from what the command line names: the first one, and one for every reload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/executor/executor.h"
#include "server/metrics/prometheus_metrics.h"
#include "server/serving/engine.h"

namespace bitplex {

struct ModelOptions {
  std::string store;     // A path; or
  std::string separate;  // NAME=CHECKPOINT,...: one plain float32 model per task.
  std::string arch;      // For `separate`; empty: told by the tensors.
  Reading reading = Reading::kMask;
  std::string executor = "onednn";
  std::optional<Precision> precision;       // Default: ChoosePrecision.
  std::optional<size_t> view_budget_bytes;  // Default: half of the separate float32 models.
};

// Thread-safe. Must outlive its engines.
class EngineFactory {
 public:
  // Loads the executor module. `metrics` may be null; it must outlive the engines.
  static absl::StatusOr<std::unique_ptr<EngineFactory>> Open(const ModelOptions& models,
                                                             const EngineOptions& engine,
                                                             PrometheusMetrics* metrics);

  // Reads and validates the files as they are now, and prepares the networks. Errors say what and
  // where, and leave nothing behind.
  absl::StatusOr<std::unique_ptr<Engine>> Make() const;

  const ModelOptions& models() const { return models_; }

 private:
  EngineFactory(const ModelOptions& models, const EngineOptions& engine, PrometheusMetrics* metrics,
                std::unique_ptr<Executor> executor);

  const ModelOptions models_;
  const EngineOptions engine_;
  PrometheusMetrics* const metrics_;
  const std::unique_ptr<Executor> executor_;
  const uint64_t baseline_rss_bytes_;  // With the executor, before the first weight.
};

std::vector<std::string> TaskNames(const ServableSet& set);

}  // namespace bitplex
