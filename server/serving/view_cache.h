// Gives out materialised weights and takes them back, so that all of them stay under a byte budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "server/executor/executor.h"
#include "server/metrics/recorder.h"

namespace bitplex {

struct ViewCacheStats {
  size_t budget_bytes = 0;
  size_t bytes = 0;   // Held now, views under construction included; never above budget.
  uint64_t hits = 0;  // Pins of a view that was there, or that another caller was making.
  uint64_t materializations = 0;  // Views made.
  uint64_t evictions = 0;         // Views given back.
  uint64_t streamed = 0;          // Empty pins.
};

// Thread-safe. Must outlive its pins.
class ViewCache {
 public:
  using Weights = std::shared_ptr<const PackedWeights>;
  // Returns fresh weights, and keeps no reference to them. Runs on the thread that called Acquire,
  // outside any lock; must not throw, nor call the cache.
  using Materialize = std::function<absl::StatusOr<Weights>()>;

  struct Unpin {
    void operator()(const PackedWeights* weights) const;
    ViewCache* cache = nullptr;
    size_t task = 0;
  };
  // While it lives, its view is not evicted. An empty pin means that no view fits the budget now,
  // and that the caller must read the weights layer by layer.
  using Pin = std::unique_ptr<const PackedWeights, Unpin>;

  // `recorder`, which may be null, is told of views made and given back, and must outlive the
  // cache.
  ViewCache(size_t budget_bytes, size_t task_count, Recorder* recorder = nullptr);
  ~ViewCache();

  // Pins `task`'s view. If there is none, unpinned views are given back, least recently used first,
  // until `bytes` fit, and `make` makes it. Callers for a task whose view is under construction
  // wait for it and share its outcome; callers for other tasks do not wait. An error is `make`'s (a
  // later call tries again), or INTERNAL when it made more than `bytes`.
  absl::StatusOr<Pin> Acquire(size_t task, size_t bytes, const Materialize& make);

  // Give back, at once, views that are not pinned. Evict says how many bytes that freed.
  size_t Evict(size_t task);
  void EvictAll();

  ViewCacheStats Stats() const;
  // 0: no view, or one under construction.
  size_t ResidentBytes(size_t task) const;

 private:
  struct Flight;
  struct Slot;
  using Lock = std::unique_lock<std::mutex>;

  bool MakeRoom(size_t bytes, std::vector<Weights>& victims);
  absl::StatusOr<Weights> Make(Lock& lock, size_t task, size_t bytes, std::vector<Weights> victims,
                               const Materialize& make);
  absl::StatusOr<Pin> Wait(Lock& lock, size_t task);
  void Drop(Lock& lock, std::vector<Weights> victims, size_t reserved_bytes);
  Weights Take(Slot& slot);
  Pin MakePin(size_t task);

  Recorder* const recorder_;
  mutable std::mutex mutex_;  // Guards all below.
  std::vector<Slot> slots_;
  ViewCacheStats stats_;
  uint64_t uses_ = 0;
};

}  // namespace bitplex
