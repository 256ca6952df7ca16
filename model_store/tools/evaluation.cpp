#include "model_store/tools/evaluation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model_store/dataset/cifar_input.h"
#include "model_store/util/progress.h"
#include "server/executor/predictions.h"

namespace bitplex {
namespace {

// What the threads share.
struct Work {
  const Network& network;
  const PackedWeights& weights;
  const TaskInfo& task;
  const CifarImages& images;
  const size_t batch;

  std::atomic<size_t> next{0};
  std::mutex mutex{};  // Guards what follows.
  Evaluation result;
  absl::Status status{};
  size_t done = 0;
  Progress progress;
};

void Record(Work& work, size_t first, size_t count, const std::vector<float>& logits) {
  const size_t classes = work.task.labels.size();
  const std::lock_guard lock(work.mutex);
  for (size_t i = 0; i < count; ++i) {
    const auto ranked = TopK({logits.data() + i * classes, classes}, 5);
    const size_t label = work.images.labels[first + i];
    work.result.predictions[first + i] = ranked[0].index;
    work.result.correct += ranked[0].index == label;
    work.result.correct_top5 += std::any_of(ranked.begin(), ranked.end(),
                                            [&](const RankedClass& r) { return r.index == label; });
  }
  work.done += count;
  work.progress.Update(
      work.done, absl::StrFormat("top-1 %.2f %%", 100.0 * static_cast<double>(work.result.correct) /
                                                      static_cast<double>(work.done)));
}

void RunBatches(Work& work) {
  std::vector<float> input(work.batch * kCifarImageBytes);
  for (;;) {
    const size_t first = work.next.fetch_add(work.batch);
    if (first >= work.images.size()) return;
    const size_t count = std::min(work.batch, work.images.size() - first);
    const absl::Span<float> used = absl::MakeSpan(input).first(count * kCifarImageBytes);
    NormalizeCifar(work.images, first, count, work.task, used);
    std::vector<float> logits(count * work.task.labels.size());
    const absl::Status status = work.network.Run(work.weights, used, count, absl::MakeSpan(logits));
    if (!status.ok()) {
      const std::lock_guard lock(work.mutex);
      work.status = status;
      work.next = work.images.size();
      return;
    }
    Record(work, first, count, logits);
  }
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const Network& network, const Architecture& arch,
                                    const TaskInfo& task, const CifarImages& images,
                                    const EvaluationOptions& options) {
  if (absl::Status status = CheckTakesCifar(arch); !status.ok()) return status;
  const absl::StatusOr<std::shared_ptr<const PackedWeights>> weights = network.Pack();
  if (!weights.ok()) return weights.status();
  Work work{.network = network,
            .weights = **weights,
            .task = task,
            .images = images,
            .batch = options.batch,
            .result = {},
            .status = {},
            .progress = Progress(task.name, images.size())};
  work.result.predictions.resize(images.size());
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (size_t t = 1; t < options.threads; ++t) threads.emplace_back([&] { RunBatches(work); });
  RunBatches(work);
  for (std::thread& thread : threads) thread.join();
  if (!work.status.ok()) return work.status;
  work.result.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return work.result;
}

}  // namespace bitplex
