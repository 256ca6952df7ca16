#include "client/evaluate_command.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/classify_stream.h"
#include "client/output.h"
#include "client/text.h"
#include "model_store/dataset/cifar.h"
#include "model_store/dataset/predictions_csv.h"
#include "model_store/util/progress.h"

namespace bitplex {
namespace {

constexpr uint32_t kTopK = 5;

struct Score {
  std::vector<size_t> predicted;  // One an image.
  size_t answered = 0;
  size_t correct = 0;
  size_t correct_top5 = 0;
  size_t refusals = 0;
  double seconds = 0;  // From the first request to the end of the stream.
  std::string store_version;

  double Percent(size_t hits) const {
    return 100.0 * static_cast<double>(hits) / static_cast<double>(std::max<size_t>(answered, 1));
  }
  double ImagesPerSecond() const { return static_cast<double>(answered) / std::max(seconds, 1e-9); }
};

absl::StatusOr<size_t> ClassesOf(const std::string& name, const v1::ListTasksResponse& tasks) {
  std::vector<std::string> names;
  for (const v1::Task& task : tasks.tasks()) {
    if (task.name() == name) return static_cast<size_t>(task.labels_size());
    names.push_back(task.name());
  }
  return absl::NotFoundError(absl::StrCat("no task '", name, "'; this server has: ",
                                          names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

absl::Status Count(size_t index, uint32_t label, size_t classes,
                   const v1::ClassifyResponse& response, Score& score) {
  if (response.predictions().empty() || response.predictions(0).index() >= classes) {
    return absl::InternalError(
        absl::StrCat("the answer for image ", index, " names no class of this task"));
  }
  if (score.answered > 0 && response.store_version() != score.store_version) {
    return absl::AbortedError(absl::StrCat("the server's weights changed at image ", index,
                                           ", from ", score.store_version, " to ",
                                           response.store_version(), "; start again"));
  }
  score.store_version = response.store_version();
  score.predicted[index] = response.predictions(0).index();
  ++score.answered;
  if (score.predicted[index] == label) ++score.correct;
  const auto& best = response.predictions();
  const auto end = best.begin() + std::min<int>(best.size(), kTopK);
  if (std::any_of(best.begin(), end, [=](const auto& p) { return p.index() == label; })) {
    ++score.correct_top5;
  }
  return absl::OkStatus();
}

absl::StatusOr<Score> Evaluate(const EvaluateOptions& options, v1::Classifier::Stub& stub,
                               const CifarImages& images, size_t classes) {
  Score score;
  score.predicted.resize(images.size());
  Progress progress(options.task, images.size());
  const auto make_request = [&](size_t i) {
    v1::ClassifyRequest request;
    request.set_task(options.task);
    request.set_top_k(kTopK);
    v1::RawImage& raw = *request.mutable_image()->mutable_raw();
    raw.set_height(kCifarPixels);
    raw.set_width(kCifarPixels);
    raw.set_rgb(images.image(i), kCifarImageBytes);
    return request;
  };
  const auto on_answer = [&](size_t i, const v1::ClassifyResponse& response) {
    absl::Status status = Count(i, images.labels[i], classes, response, score);
    progress.Update(score.answered, absl::StrFormat("top-1 %.2f %%", score.Percent(score.correct)));
    return status;
  };
  SendLimits limits = options.send;
  limits.answer_timeout = options.connection.request_timeout;
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status =
      ClassifyAll(stub, images.size(), limits, make_request, on_answer, &score.refusals);
  if (!status.ok()) return status;
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return score;
}

absl::Status WritePredictions(const std::string& path, std::ofstream& file,
                              const CifarImages& images, const Score& score) {
  WritePredictionsCsv(images, score.predicted, file);
  file.close();
  if (file) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": writing failed; is the disk full?"));
}

void PrintScore(const EvaluateOptions& options, const Score& score, std::ostream& out) {
  if (options.json) {
    PrintJson(out, {{"task", options.task},
                    {"images", score.answered},
                    {"correct", score.correct},
                    {"correct_top5", score.correct_top5},
                    {"top1", score.Percent(score.correct)},
                    {"top5", score.Percent(score.correct_top5)},
                    {"seconds", score.seconds},
                    {"images_per_second", score.ImagesPerSecond()},
                    {"refusals", score.refusals},
                    {"store_version", score.store_version}});
    return;
  }
  out << absl::StrFormat(
      "%s: top-1 %.2f %%, top-5 %.2f %% (%d and %d of %d images), %.1f images/s\n"
      "Store version: %s\n",
      Printable(options.task), score.Percent(score.correct), score.Percent(score.correct_top5),
      score.correct, score.correct_top5, score.answered, score.ImagesPerSecond(),
      Printable(score.store_version));
}

absl::Status RunEvaluation(const EvaluateOptions& options, std::ostream& out) {
  const auto stub = Connect(options.connection);
  if (!stub.ok()) return stub.status();
  const auto tasks = ListTasks(**stub, options.connection.request_timeout);
  if (!tasks.ok()) return tasks.status();
  const auto classes = ClassesOf(options.task, *tasks);
  if (!classes.ok()) return classes.status();
  const auto images = ReadCifar(options.data, *classes, options.limit);
  if (!images.ok()) return images.status();
  std::ofstream predictions;
  if (!options.predictions.empty()) {
    // Before the run: a path that cannot be written should not cost minutes.
    predictions.open(options.predictions);
    if (!predictions) {
      return absl::NotFoundError(
          absl::StrCat(options.predictions,
                       ": cannot write this file; do its folder and the right to it exist?"));
    }
  }
  const auto score = Evaluate(options, **stub, *images, *classes);
  if (!score.ok()) return score.status();
  if (predictions.is_open()) {
    const absl::Status written =
        WritePredictions(options.predictions, predictions, *images, *score);
    if (!written.ok()) return written;
  }
  PrintScore(options, *score, out);
  return absl::OkStatus();
}

}  // namespace

int RunEvaluate(const EvaluateOptions& options, std::ostream& out, std::ostream& err) {
  const absl::Status status = RunEvaluation(options, out);
  return status.ok() ? kExitOk : Fail(err, status);
}

}  // namespace bitplex
