#include "server/model/servable.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model_store/fuse/plain_model.h"
#include "server/executor/choose_precision.h"

namespace bitplex {
namespace {

constexpr size_t kVersionDigits = 16;  // Of a checkpoint's digest: as many as a store's id has.

}  // namespace

absl::StatusOr<size_t> ServableSet::Find(std::string_view name) const {
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].info.name == name) return i;
  }
  std::vector<std::string> names;
  for (const Servable& task : tasks) names.push_back(task.info.name);
  return absl::NotFoundError(absl::StrCat("there is no task '", std::string(name.substr(0, 64)),
                                          "'; this server has ", absl::StrJoin(names, ", ")));
}

absl::Status PrepareNetworks(const Executor& executor, std::optional<Precision> asked,
                             ServableSet& set) {
  for (Servable& task : set.tasks) {
    const auto named = [&](const absl::Status& status) {
      return absl::Status(status.code(), absl::StrCat("task '", task.info.name,
                                                      "': ", std::string(status.message())));
    };
    const absl::StatusOr<Precision> precision = ChoosePrecision(executor, *task.source, asked);
    if (!precision.ok()) return named(precision.status());
    absl::StatusOr<std::shared_ptr<const Network>> network =
        executor.Prepare(task.source, *precision);
    if (!network.ok()) return named(network.status());
    task.network = *std::move(network);
    if (set.store != nullptr) continue;
    absl::StatusOr<std::shared_ptr<const PackedWeights>> resident = task.network->Pack();
    if (!resident.ok()) return named(resident.status());
    task.resident = *std::move(resident);
  }
  return absl::OkStatus();
}

absl::StatusOr<ServableSet> LoadStore(const std::string& path, Reading reading) {
  absl::StatusOr<std::shared_ptr<const FusedStore>> store = FusedStore::Open(path);
  if (!store.ok()) return store.status();
  ServableSet set;
  set.store = *std::move(store);
  for (size_t i = 0; i < set.store->tasks().size(); ++i) {
    set.tasks.push_back({set.store->tasks()[i], &set.store->arch(), set.store->id(),
                         reading == Reading::kDither ? "dither" : "mask",
                         std::make_shared<const TaskView>(set.store->View(i, reading)), nullptr,
                         nullptr});
  }
  return set;
}

absl::StatusOr<ServableSet> LoadSeparate(const std::vector<TaskSpec>& specs,
                                         const std::string& arch_name) {
  ServableSet set;
  for (const TaskSpec& spec : specs) {
    if (set.Find(spec.name).ok()) {
      return absl::InvalidArgumentError(absl::StrCat("two tasks are named '", spec.name, "'"));
    }
    absl::StatusOr<PlainModel> model = LoadPlainModel(spec, arch_name);
    if (!model.ok()) return model.status();
    TaskInfo& info = model->info;
    info.bits = 0;  // Not fused.
    const std::string version = info.checkpoint_sha256.substr(0, kVersionDigits);
    set.tasks.push_back({std::move(info), model->arch, version, "float32", model->weights, nullptr,
                         nullptr, model->weights->bytes()});
  }
  return set;
}

}  // namespace bitplex
