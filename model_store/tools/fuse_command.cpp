#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model_store/calibrate/calibration.h"
#include "model_store/format/fused_store.h"
#include "model_store/fuse/fuse.h"
#include "model_store/fuse/task_spec.h"
#include "model_store/tools/commands.h"
#include "model_store/tools/store_table.h"

namespace bitplex {
namespace {

struct FuseOptions {
  std::string arch;
  std::string out;
  std::vector<std::string> tasks;
  std::vector<std::string> calibrations;
  std::string executor = "onednn";
};

absl::StatusOr<FuseTask> LoadTask(const TaskSpec& spec, const Architecture& arch) {
  if (!spec.bits) {
    return absl::InvalidArgumentError(
        absl::StrCat("task '", spec.name, "': how many mantissa bits? Add bits=N (1 to 24) to it"));
  }
  absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(spec.checkpoint, arch);
  if (!checkpoint.ok()) return checkpoint.status();
  absl::StatusOr<TaskInfo> info = DescribeTask(spec, *checkpoint);
  if (!info.ok()) return info.status();
  return FuseTask{*std::move(info), *std::move(checkpoint)};
}

// A specification without a task is for all tasks that have none of their own.
absl::Status CalibrateAll(const FuseOptions& options, const Architecture& arch,
                          std::vector<FuseTask>& tasks) {
  if (options.calibrations.empty()) return absl::OkStatus();
  std::vector<CalibrationSpec> specs;
  for (const std::string& text : options.calibrations) {
    absl::StatusOr<CalibrationSpec> spec = ParseCalibrationSpec(text);
    if (!spec.ok()) return spec.status();
    const bool known =
        spec->task.empty() || std::any_of(tasks.begin(), tasks.end(),
                                          [&](auto& task) { return task.info.name == spec->task; });
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("--calibrate names task '", spec->task, "', which no --task does"));
    }
    specs.push_back(*std::move(spec));
  }
  const auto executor = LoadExecutor(options.executor);
  if (!executor.ok()) return executor.status();
  for (FuseTask& task : tasks) {
    const CalibrationSpec* chosen = nullptr;
    for (const CalibrationSpec& spec : specs) {
      if (spec.task == task.info.name || (spec.task.empty() && chosen == nullptr)) chosen = &spec;
    }
    if (chosen == nullptr) continue;
    if (absl::Status status = Calibrate(**executor, arch, *chosen, task); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

absl::Status Fuse(const FuseOptions& options, std::ostream& out) {
  const auto arch = FindArchitecture(options.arch);
  if (!arch.ok()) return arch.status();
  std::vector<FuseTask> tasks;
  for (const std::string& text : options.tasks) {
    const absl::StatusOr<std::vector<TaskSpec>> specs = ParseTaskSpecs(text);
    if (!specs.ok()) return specs.status();
    for (const TaskSpec& spec : *specs) {
      absl::StatusOr<FuseTask> task = LoadTask(spec, **arch);
      if (!task.ok()) return task.status();
      tasks.push_back(*std::move(task));
    }
  }
  if (absl::Status status = CalibrateAll(options, **arch, tasks); !status.ok()) return status;
  if (absl::Status status = FuseToFile(**arch, tasks, options.out); !status.ok()) return status;
  // Read back what was written: a store that this command leaves behind opens.
  const auto store = FusedStore::Open(options.out);
  if (!store.ok()) return store.status();
  PrintStore(**store, out);
  return absl::OkStatus();
}

}  // namespace

void AddFuseCommand(CLI::App& app, CommandAction& chosen) {
  const auto options = std::make_shared<FuseOptions>();
  CLI::App* const command =
      app.add_subcommand("fuse", "Fuse checkpoints of one architecture into one store");
  command->add_option("--arch", options->arch, "Architecture: resnet18-cifar or resnet18-imagenet")
      ->required();
  command
      ->add_option("--out", options->out, "The store to write; replaced in one step if it is there")
      ->required();
  command
      ->add_option(
          "--task", options->tasks,
          "NAME=CHECKPOINT,bits=N[,labels=FILE][,mean=R,G,B][,std=R,G,B][,preset=NAME]"
          "[,exponents=tensor|channel]; once for each task, the first gets the highest bits. "
          "Checkpoints: safetensors, PyTorch .pt state dicts, TorchScript archives. Labels, mean "
          "and std of tasks named cifar10 and cifar100 are built in")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_size(1);
  command
      ->add_option(
          "--calibrate", options->calibrations,
          "[TASK=]IMAGES.bin[,images=N][,method=mse|percentile|max]: measure the scales of 8-bit "
          "activations on the first N (500) of these training images, a CIFAR binary file; once "
          "for "
          "each task, or once for all. Without it a store cannot be served in s8")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_size(1);
  command->add_option("--executor", options->executor, "What runs the networks to calibrate them")
      ->capture_default_str();
  command->callback([options, &chosen] {
    chosen = [options](std::ostream& out) { return Fuse(*options, out); };
  });
}

}  // namespace bitplex
