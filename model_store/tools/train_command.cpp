#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model_store/dataset/cifar_input.h"
#include "model_store/fuse/task_spec.h"
#include "model_store/tools/commands.h"
#include "model_store/tools/evaluation.h"
#include "model_store/train/training_run.h"
#include "model_store/view/plain_weights.h"

namespace bitplex {
namespace {

struct TrainOptions {
  std::string arch = "resnet18-cifar";
  std::string task;
  std::string data;
  size_t val_holdout = 0;
  std::string schedule = "cosine";
  std::string device = "cpu";
  std::string precision = "f32";
  size_t threads = 1;
  bool no_augment = false;
  Recipe recipe;
  std::string init;
  bool resume = false;
  std::string out;
};

volatile std::sig_atomic_t stop_asked = 0;

// A second signal ends the program at once: what was saved last is whole.
void StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// What `bitplex evaluate --checkpoint` does, on a network that is not in a file yet.
absl::StatusOr<size_t> CountCorrectWithExecutor(const Executor& executor, const Architecture& arch,
                                                const TrainingData& data, size_t threads,
                                                const Checkpoint& checkpoint) {
  TaskSpec spec;
  spec.name = data.preset->name;
  const absl::StatusOr<TaskInfo> task = DescribeTask(spec, checkpoint);
  if (!task.ok()) return task.status();
  auto weights = PlainWeights::FromCheckpoint(checkpoint, arch);
  if (!weights.ok()) return weights.status();
  const auto network = executor.Prepare(*std::move(weights), Precision::kFloat32);
  if (!network.ok()) return network.status();
  const absl::StatusOr<Evaluation> result =
      Evaluate(**network, arch, *task, data.test, {.threads = threads});
  if (!result.ok()) return result.status();
  return result->correct;
}

absl::StatusOr<TrainingJob> MakeJob(const TrainOptions& options) {
  TrainingJob job;
  const auto arch = FindArchitecture(options.arch);
  if (!arch.ok()) return arch.status();
  if (absl::Status status = CheckTakesCifar(**arch); !status.ok()) return status;
  job.arch = *arch;
  job.recipe = options.recipe;
  job.recipe.augment = !options.no_augment;
  job.recipe.schedule = options.schedule == "onecycle" ? Schedule::kOneCycle : Schedule::kCosine;
  if (absl::Status status = CheckRecipe(job.recipe); !status.ok()) return status;
  job.trainer = {
      .device = options.device == "cuda" ? Device::kCuda : Device::kCpu,
      .precision = options.precision == "bf16" ? Precision::kBfloat16 : Precision::kFloat32,
      .threads = options.threads,
      .momentum = job.recipe.momentum,
      .weight_decay = job.recipe.weight_decay,
      .decay_all = job.recipe.decay_all,
      .label_smoothing = job.recipe.label_smoothing};
  job.settings = {{"device", options.device},
                  {"precision", options.precision},
                  {"threads", absl::StrCat(options.threads)}};
  job.out = options.out;
  job.resume = options.resume;
  return job;
}

// So that a wrong folder is not found out after hours.
absl::Status CheckOutput(const std::string& out) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(out).parent_path();
  if (std::filesystem::is_directory(folder.empty() ? "." : folder, error) &&
      !std::filesystem::is_directory(out, error)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--out ", out, ": name a file in a folder that is there"));
}

bool IsSlowAtBf16(const TrainerOptions& options) {
#if defined(__x86_64__)
  return options.precision == Precision::kBfloat16 && options.device == Device::kCpu &&
         !__builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

absl::Status Train(const TrainOptions& options, std::ostream& out) {
  absl::StatusOr<TrainingJob> job = MakeJob(options);
  if (!job.ok()) return job.status();
  if (absl::Status status = CheckOutput(job->out); !status.ok()) return status;
  const auto data = LoadTrainingData(options.task, options.data, options.val_holdout);
  if (!data.ok()) return data.status();
  job->trainer.classes = data->classes();
  Checkpoint init;
  if (!options.init.empty()) {
    auto read = ReadCheckpoint(options.init, *job->arch);
    if (!read.ok()) return read.status();
    init = *std::move(read);
    job->init = &init;
    if (init.classes != data->classes()) {
      out << options.init << " has " << init.classes << " classes: the classifier begins anew\n";
    }
  }
  // Needed last, but a fault in it is better known now.
  const auto executor = LoadExecutor("libtorch");
  if (!executor.ok()) return executor.status();
  const auto trainer = LoadTrainer("libtorch", *job->arch, job->trainer);
  if (!trainer.ok()) return trainer.status();
  if (IsSlowAtBf16(job->trainer)) {
    out << "this processor has no bf16 arithmetic (avx512_bf16): f32 may be faster\n";
  }
  StopOnSignals();
  const auto count_correct = [&](const Checkpoint& checkpoint) {
    return CountCorrectWithExecutor(**executor, *job->arch, *data, options.threads, checkpoint);
  };
  return RunTraining(
      *job, *data, **trainer, count_correct, [] { return stop_asked != 0; }, out);
}

}  // namespace

void AddTrainCommand(CLI::App& app, CommandAction& chosen) {
  const auto options = std::make_shared<TrainOptions>();
  Recipe& recipe = options->recipe;
  CLI::App* const command =
      app.add_subcommand("train", "Train one task from CIFAR binary files and write a checkpoint");
  const auto add = [command](const std::string& name, auto& value, const std::string& help) {
    return command->add_option(name, value, help);
  };
  add("--arch", options->arch, "Architecture with 32 x 32 inputs")->capture_default_str();
  add("--task", options->task, "cifar10 or cifar100")
      ->required()
      ->check(CLI::IsMember({"cifar10", "cifar100"}));
  add("--data", options->data,
      "Folder of the official binary files, or of train.bin and test.bin in their layout")
      ->required();
  add("--out", options->out,
      "The checkpoint to write (safetensors); OUT.csv, and OUT.state until it is done, beside it")
      ->required();
  add("--val-holdout", options->val_holdout,
      "Keep the last N training images apart, and measure on them until the last epoch")
      ->capture_default_str();
  add("--epochs", recipe.epochs, "More take longer and generalise better")->capture_default_str();
  add("--batch", recipe.batch, "Images a step; a larger one wants a higher --lr")
      ->capture_default_str();
  add("--lr", recipe.learning_rate, "The highest learning rate")->capture_default_str();
  add("--schedule", options->schedule, "cosine or onecycle, step by step")
      ->check(CLI::IsMember({"cosine", "onecycle"}))
      ->capture_default_str();
  add("--warmup", recipe.warmup, "Share of the steps before the highest rate, 0 to 0.9")
      ->capture_default_str();
  add("--momentum", recipe.momentum, "Nesterov's")->capture_default_str();
  add("--weight-decay", recipe.weight_decay, "Of convolutions and classifier")
      ->capture_default_str();
  command->add_flag("--decay-all", recipe.decay_all, "Of batch norms and biases too");
  add("--label-smoothing", recipe.label_smoothing, "Share of the target spread over all classes")
      ->capture_default_str();
  command->add_flag("--no-augment", options->no_augment, "No random crops and mirror images");
  add("--cutout", recipe.cutout, "Side of a square blotted out of each image, in pixels (0: none)")
      ->capture_default_str();
  add("--average-decay", recipe.average_decay,
      "Of the moving average of the weights, which is what is written (0: the last weights)")
      ->capture_default_str();
  add("--seed", recipe.seed, "Same seed, device and threads: same checkpoint, to the byte")
      ->capture_default_str();
  add("--device", options->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  add("--precision", options->precision,
      "f32, or bf16 for convolutions and activations (weights, statistics and loss stay f32)")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  add("--threads", options->threads, "CPU threads of the arithmetic")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add("--init", options->init,
      "Checkpoint to start from, of this architecture (without: random weights)");
  command->add_flag("--resume", options->resume, "Continue from OUT.state when it is there");
  command->callback([options, &chosen] {
    chosen = [options](std::ostream& out) { return Train(*options, out); };
  });
}

}  // namespace bitplex
