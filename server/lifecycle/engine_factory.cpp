#include "server/lifecycle/engine_factory.h"

#include <algorithm>
#include <utility>

namespace bitplex {
namespace {

absl::StatusOr<ServableSet> Load(const ModelOptions& models) {
  if (!models.store.empty()) return LoadStore(models.store, models.reading);
  const absl::StatusOr<std::vector<TaskSpec>> specs = ParseTaskSpecs(models.separate);
  if (!specs.ok()) return specs.status();
  return LoadSeparate(*specs, models.arch);
}

// Half of what the networks would hold as separate float32 models, so that store and views together
// stay below them; but room for one view at least.
size_t DefaultViewBudget(const ServableSet& set) {
  size_t largest = 0;
  uint64_t separate = 0;
  for (const Servable& task : set.tasks) {
    largest = std::max(largest, task.network->packed_bytes());
    separate += Float32ModelBytes(*task.arch, task.info);
  }
  return std::max<size_t>(largest, separate / 2);
}

}  // namespace

std::vector<std::string> TaskNames(const ServableSet& set) {
  std::vector<std::string> names;
  for (const Servable& task : set.tasks) names.push_back(task.info.name);
  return names;
}

EngineFactory::EngineFactory(const ModelOptions& models, const EngineOptions& engine,
                             PrometheusMetrics* metrics, std::unique_ptr<Executor> executor)
    : models_(models),
      engine_(engine),
      metrics_(metrics),
      executor_(std::move(executor)),
      baseline_rss_bytes_(ReadProcessMemory().rss_bytes) {}

absl::StatusOr<std::unique_ptr<EngineFactory>> EngineFactory::Open(const ModelOptions& models,
                                                                   const EngineOptions& engine,
                                                                   PrometheusMetrics* metrics) {
  absl::StatusOr<std::unique_ptr<Executor>> executor = LoadExecutor(models.executor);
  if (!executor.ok()) return executor.status();
  return std::unique_ptr<EngineFactory>(
      new EngineFactory(models, engine, metrics, *std::move(executor)));
}

absl::StatusOr<std::unique_ptr<Engine>> EngineFactory::Make() const {
  absl::StatusOr<ServableSet> set = Load(models_);
  if (!set.ok()) return set.status();
  if (absl::Status status = PrepareNetworks(*executor_, models_.precision, *set); !status.ok()) {
    return status;
  }
  EngineOptions options = engine_;
  options.view_budget_bytes = models_.view_budget_bytes.value_or(DefaultViewBudget(*set));
  std::shared_ptr<Recorder> recorder =
      metrics_ == nullptr ? nullptr : metrics_->RecorderFor(TaskNames(*set));
  return std::make_unique<Engine>(std::make_shared<const ServableSet>(*std::move(set)), options,
                                  baseline_rss_bytes_, std::move(recorder));
}

}  // namespace bitplex
