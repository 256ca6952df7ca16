#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model_store/dataset/predictions_csv.h"
#include "model_store/format/fused_store.h"
#include "model_store/fuse/plain_model.h"
#include "model_store/tools/commands.h"
#include "model_store/tools/evaluation.h"
#include "server/executor/choose_precision.h"

namespace bitplex {
namespace {

struct EvaluateOptions {
  std::string store;
  std::string checkpoint;
  std::string arch;
  std::string task;
  std::string data;
  std::string reading = "mask";
  std::string executor;
  std::string precision = "auto";
  std::string predictions;
  size_t limit = 0;
  size_t threads = std::max(1u, std::thread::hardware_concurrency());
  bool json = false;
};

// What is evaluated: a task of a store, or a checkpoint.
struct Subject {
  std::shared_ptr<const FusedStore> store;  // Null for a checkpoint.
  const Architecture* arch;
  TaskInfo task;
  std::shared_ptr<const WeightSource> weights;
  std::string source;
};

absl::StatusOr<std::unique_ptr<const Network>> PrepareNetwork(const EvaluateOptions& options,
                                                              const Subject& subject) {
  // A checkpoint is measured by the reference, which also trained it, where that was built.
  std::string name = options.executor;
  if (name.empty()) name = subject.store == nullptr ? "libtorch" : "onednn";
  auto executor = LoadExecutor(name);
  if (options.executor.empty() && absl::IsNotFound(executor.status())) {
    executor = LoadExecutor("onednn");
  }
  if (!executor.ok()) return executor.status();
  const auto precision =
      ChoosePrecision(**executor, *subject.weights, PrecisionFromName(options.precision));
  if (!precision.ok()) return precision.status();
  return (*executor)->Prepare(subject.weights, *precision);
}

absl::StatusOr<Subject> FromStore(const EvaluateOptions& options) {
  absl::StatusOr<std::shared_ptr<const FusedStore>> store = FusedStore::Open(options.store);
  if (!store.ok()) return store.status();
  if (options.task.empty())
    return absl::InvalidArgumentError("which task of the store? Add --task NAME");
  const absl::StatusOr<size_t> found = (*store)->FindTask(options.task);
  if (!found.ok()) return found.status();
  const size_t index = *found;
  const Reading reading = options.reading == "dither" ? Reading::kDither : Reading::kMask;
  return Subject{*store, &(*store)->arch(), (*store)->tasks()[index],
                 std::make_shared<const TaskView>((*store)->View(index, reading)), options.store};
}

absl::StatusOr<Subject> FromCheckpoint(const EvaluateOptions& options) {
  TaskSpec spec;
  spec.name = options.task;
  spec.checkpoint = options.checkpoint;
  absl::StatusOr<PlainModel> model = LoadPlainModel(std::move(spec), options.arch);
  if (!model.ok()) return model.status();
  return Subject{nullptr, model->arch, std::move(model->info), std::move(model->weights),
                 options.checkpoint};
}

absl::Status WritePredictions(const std::string& path, const CifarImages& images,
                              const Evaluation& result) {
  std::ofstream file(path);
  WritePredictionsCsv(images, result.predictions, file);
  file.close();
  return file ? absl::OkStatus() : absl::DataLossError(absl::StrCat(path, ": cannot write"));
}

void PrintResult(const EvaluateOptions& options, const Subject& subject, Precision precision,
                 const Evaluation& result, size_t images, std::ostream& out) {
  const double top1 = 100.0 * static_cast<double>(result.correct) / static_cast<double>(images);
  const double top5 =
      100.0 * static_cast<double>(result.correct_top5) / static_cast<double>(images);
  const double rate = static_cast<double>(images) / std::max(result.seconds, 1e-9);
  const std::string reading = subject.store == nullptr ? "float32" : options.reading;
  if (options.json) {
    const nlohmann::json json = {{"task", subject.task.name},
                                 {"source", subject.source},
                                 {"reading", reading},
                                 {"precision", PrecisionName(precision)},
                                 {"rounded_again", RoundsAgain(*subject.weights, precision)},
                                 {"images", images},
                                 {"correct", result.correct},
                                 {"correct_top5", result.correct_top5},
                                 {"top1", top1},
                                 {"top5", top5},
                                 {"seconds", result.seconds},
                                 {"images_per_second", rate}};
    out << json.dump(2) << "\n";
    return;
  }
  out << absl::StreamFormat(
      "%s (%s, %s, %s): %d images, %d correct, top-1 %.2f %%, top-5 %.2f %%, %.0f images/s\n",
      subject.task.name, subject.source, reading, PrecisionName(precision), images, result.correct,
      top1, top5, rate);
}

absl::Status RunEvaluate(const EvaluateOptions& options, std::ostream& out) {
  absl::StatusOr<Subject> subject =
      options.store.empty() ? FromCheckpoint(options) : FromStore(options);
  if (!subject.ok()) return subject.status();
  const absl::StatusOr<CifarImages> images =
      ReadCifar(options.data, subject->task.labels.size(), options.limit);
  if (!images.ok()) return images.status();
  const auto network = PrepareNetwork(options, *subject);
  if (!network.ok()) return network.status();
  const absl::StatusOr<Evaluation> result =
      Evaluate(**network, *subject->arch, subject->task, *images, {.threads = options.threads});
  if (!result.ok()) return result.status();
  if (!options.predictions.empty()) {
    if (absl::Status status = WritePredictions(options.predictions, *images, *result); !status.ok())
      return status;
  }
  PrintResult(options, *subject, (*network)->precision(), *result, images->size(), out);
  return absl::OkStatus();
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, CommandAction& chosen) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* const command = app.add_subcommand(
      "evaluate", "Accuracy of a store's task, or of a checkpoint, on a CIFAR binary file");
  CLI::Option* const store = command->add_option("--store", options->store, "A store; with --task");
  CLI::Option* const checkpoint = command->add_option("--checkpoint", options->checkpoint,
                                                      "A float32 checkpoint instead of a store");
  store->excludes(checkpoint);
  command
      ->add_option("--arch", options->arch,
                   "The checkpoint's architecture (default: told by its tensors)")
      ->needs(checkpoint);
  command->add_option("--task", options->task,
                      "The task's name; for a checkpoint the preset: cifar10 or cifar100");
  command->add_option("--data", options->data, "CIFAR binary file, such as test_batch.bin")
      ->required();
  command
      ->add_option("--reading", options->reading,
                   "mask: the task's own bits; dither: the lower tasks' bits left in")
      ->check(CLI::IsMember({"mask", "dither"}))
      ->needs(store)
      ->capture_default_str();
  command->add_option("--executor", options->executor,
                      "What runs the network (default: onednn for a store, as the server does; "
                      "libtorch, the reference, for a checkpoint)");
  command
      ->add_option("--precision", options->precision,
                   "Type of the arithmetic; auto: the narrowest that is exact for the weights")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "s8"}))
      ->capture_default_str();
  command->add_option("--limit", options->limit, "Only the first N images (0: all)")
      ->capture_default_str();
  command
      ->add_option("--threads", options->threads, "Batches run at once; does not change the result")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--predictions", options->predictions,
                      "Also write index,label,predicted of every image, as CSV");
  command->add_flag("--json", options->json, "One JSON document; top1 and top5 in percent");
  command->callback([options, store, checkpoint, &chosen] {
    if (store->empty() && checkpoint->empty()) throw CLI::RequiredError("--store or --checkpoint");
    chosen = [options](std::ostream& out) { return RunEvaluate(*options, out); };
  });
}

}  // namespace bitplex
