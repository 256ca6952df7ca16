// Admission, batching, decoding, weights and the network, joined: from an image to ranked labels.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "server/image/image_decode.h"
#include "server/memory/memory_report.h"
#include "server/metrics/recorder.h"
#include "server/model/servable.h"
#include "server/serving/batcher.h"
#include "server/serving/classify_job.h"
#include "server/serving/scratch_pool.h"
#include "server/serving/view_cache.h"

namespace bitplex {

struct EngineOptions {
  BatcherOptions batcher;
  ImageLimits images;
  // Bytes that materialised weights may hold. Larger: fewer materialisations when tasks alternate.
  // 0: none is ever kept, every batch decodes its weights layer by layer.
  size_t view_budget_bytes = 0;
  // Batches that may run layer by layer at the same time, each with a buffer of
  // Network::scratch_bytes() (ResNet18: 2.4 MB in s8, 9.4 MB in f32); others wait. Default 1.
  size_t scratch_buffers = 1;
};

// Thread-safe.
class Engine {
 public:
  // The networks of `set` are prepared. `baseline_rss_bytes` is for the memory report. `recorder`
  // may be null.
  Engine(std::shared_ptr<const ServableSet> set, const EngineOptions& options,
         uint64_t baseline_rss_bytes, std::shared_ptr<Recorder> recorder = nullptr);

  // Runs an empty picture through every task, alone and in the largest batch: so the first callers
  // find views, as far as the budget goes, and generated code. Errors name the task.
  absl::Status WarmUp();

  // Checks the image's header and enqueues. Never blocks. After an error `input.done` is not
  // called: INVALID_ARGUMENT (the image), RESOURCE_EXHAUSTED (the queue is full),
  // DEADLINE_EXCEEDED, UNAVAILABLE (draining).
  absl::Status Submit(ClassifyInput input);

  // Accepts no more and waits until all that was accepted is answered.
  void Drain() { batcher_.Drain(); }

  // Accepts no more, refuses what waits for a worker (UNAVAILABLE), and does not wait.
  void CutShort() { batcher_.CutShort(); }

  // Gives back the task's view unless a batch is using it. How many bytes that freed.
  size_t Evict(size_t task) { return views_.Evict(task); }

  MemoryReport Memory() const;
  size_t QueueDepth(size_t task) const { return batcher_.QueueDepth(task); }
  const ServableSet& set() const { return *set_; }
  Recorder* recorder() const { return recorder_.get(); }  // For who answers requests. May be null.

 private:
  void RunBatch(size_t worker, size_t task, std::vector<std::unique_ptr<Job>> jobs);
  absl::Status RunNetwork(size_t task, absl::Span<const float> images, size_t count,
                          absl::Span<float> logits, std::chrono::microseconds& view);

  absl::StatusOr<std::shared_ptr<const PackedWeights>> Pack(const Servable& task);
  absl::Status CheckStore();

  const std::shared_ptr<const ServableSet> set_;
  const EngineOptions options_;
  const uint64_t baseline_rss_bytes_;
  const std::shared_ptr<Recorder> recorder_;
  ViewCache views_;
  ScratchPool scratch_;
  Batcher batcher_;  // Last: its workers use all of the above.
};

}  // namespace bitplex
