#include "model_store/fuse/plain_model.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/fuse/presets.h"

namespace bitplex {

absl::StatusOr<PlainModel> LoadPlainModel(TaskSpec spec, const std::string& arch_name) {
  const auto arch =
      arch_name.empty() ? DetectArchitecture(spec.checkpoint) : FindArchitecture(arch_name);
  if (!arch.ok()) return arch.status();
  const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(spec.checkpoint, **arch);
  if (!checkpoint.ok()) return checkpoint.status();
  if (spec.name.empty()) {
    const Preset* const preset = FindPresetByClasses(checkpoint->classes);
    if (preset == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("a checkpoint with ", checkpoint->classes,
                       " classes is of no preset (cifar10, cifar100); fuse it with labels, mean "
                       "and std, and evaluate the store"));
    }
    spec.name = preset->name;
  }
  absl::StatusOr<TaskInfo> info = DescribeTask(spec, *checkpoint);
  if (!info.ok()) return info.status();
  auto weights = PlainWeights::FromCheckpoint(*checkpoint, **arch);
  if (!weights.ok()) return weights.status();
  return PlainModel{*arch, *std::move(info), *std::move(weights)};
}

}  // namespace bitplex
