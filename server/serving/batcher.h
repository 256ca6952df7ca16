// The server's workers: each takes a batch when one is ready and runs it on its own thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/serving/batch_queue.h"

namespace bitplex {

struct BatcherOptions {
  BatchOptions batch{};
  // Threads, each of which runs one batch at a time on one core. Raising it to the number of cores
  // raises throughput; beyond that only latency. Each may hold a decoded picture, activations and
  // scratch weights of its own. At least 1. Default 1.
  size_t workers = 1;
  // Worker i stays on the i-th usable processor. Off, the system moves workers about, which is
  // right where several servers share the same processors. Default off.
  bool pin_workers = false;
};

// Thread-safe. To each job that Submit accepted exactly one thing happens, on a worker and outside
// any lock: it is given to `run_batch`, or Refuse is called on it. Idle workers sleep.
class Batcher {
 public:
  // Runs `jobs` (1 to max_batch, all of `task`, oldest first) and answers each of them. Called by
  // `workers` threads at once, each with its own `worker` number from 0 on. Must not throw, nor
  // call Drain.
  using RunBatch =
      std::function<void(size_t worker, size_t task, std::vector<std::unique_ptr<Job>> jobs)>;

  // Starts the workers.
  Batcher(const BatcherOptions& options, size_t task_count, RunBatch run_batch);
  ~Batcher();  // Drains.

  // For `run_batch`, on its worker: of the batch that it is running.
  void NoteCost(size_t worker, const RunCost& cost) { costs_[worker] = cost; }

  // Never waits. On an error `job` is not taken over and stays the caller's to answer; see
  // BatchQueue::Push.
  absl::Status Submit(size_t task, std::unique_ptr<Job>&& job);

  // Accepts no more (UNAVAILABLE), waits until everything accepted has been run or refused, and
  // ends the workers. May be called again, by any thread but a worker.
  void Drain();

  // Accepts no more, and has the workers refuse what waits (UNAVAILABLE). Does not wait for them.
  void CutShort();

  size_t QueueDepth(size_t task) const;  // Jobs that wait now.

 private:
  void Work(size_t worker);

  const RunBatch run_batch_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  BatchQueue queue_;            // Guarded by mutex_.
  bool closed_ = false;         // Guarded by mutex_.
  std::vector<RunCost> costs_;  // Each worker's own.
  std::mutex join_mutex_;  // Held while joining, so that every Drain returns only when all is done.
  std::vector<std::thread> workers_;
};

}  // namespace bitplex
