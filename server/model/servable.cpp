#include "server/model/servable.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model_store/fuse/plain_model.h"

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

absl::StatusOr<ServableSet> LoadStore(const std::string& path, Reading reading) {
  absl::StatusOr<std::shared_ptr<const FusedStore>> store = FusedStore::Open(path);
  if (!store.ok()) return store.status();
  ServableSet set;
  set.store = *std::move(store);
  for (size_t i = 0; i < set.store->tasks().size(); ++i) {
    set.tasks.push_back({set.store->tasks()[i], &set.store->arch(), set.store->id(),
                         reading == Reading::kDither ? "dither" : "mask",
                         std::make_shared<const TaskView>(set.store->View(i, reading)), nullptr});
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
    set.tasks.push_back(
        {std::move(info), model->arch, version, "float32", nullptr, std::move(model->weights)});
  }
  return set;
}

}  // namespace bitplex
