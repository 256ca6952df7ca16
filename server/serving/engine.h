// Admission, batching, decoding, weights and the network, joined: from an image to ranked labels.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "server/executor/executor.h"
#include "server/image/image_decode.h"
#include "server/memory/memory_report.h"
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
  // Batches that may run layer by layer at the same time, each with a buffer of ScratchFloats(arch)
  // values (4.7 MB for ResNet18) and about as much again in LibTorch; others wait. Default 1.
  size_t scratch_buffers = 1;
};

// Thread-safe.
class Engine {
 public:
  // `baseline_rss_bytes` is for the memory report.
  Engine(std::shared_ptr<const ServableSet> set, std::unique_ptr<const Executor> executor,
         const EngineOptions& options, uint64_t baseline_rss_bytes);

  // Checks the image's header and enqueues. Never blocks. After an error `input.done` is not
  // called: INVALID_ARGUMENT (the image), RESOURCE_EXHAUSTED (the queue is full),
  // DEADLINE_EXCEEDED, UNAVAILABLE (draining).
  absl::Status Submit(ClassifyInput input);

  // Accepts no more and waits until all that was accepted is answered.
  void Drain() { batcher_.Drain(); }

  MemoryReport Memory() const;
  const ServableSet& set() const { return *set_; }

 private:
  // The weights of one batch: a pinned view, or a scratch buffer to decode into.
  struct BatchWeights;

  void RunBatch(size_t task, std::vector<std::unique_ptr<Job>> jobs);
  absl::StatusOr<BatchWeights> AcquireWeights(size_t task);

  const std::shared_ptr<const ServableSet> set_;
  const std::unique_ptr<const Executor> executor_;
  const EngineOptions options_;
  const uint64_t baseline_rss_bytes_;
  ViewCache views_;
  ScratchPool scratch_;
  Batcher batcher_;  // Last: its workers use all of the above.
};

}  // namespace bitplex
