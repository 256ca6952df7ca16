// Which requests run together, and when: the batching policy alone, without threads or a clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "server/admission/wait_estimate.h"

namespace bitplex {

using TimePoint = std::chrono::steady_clock::time_point;

// One admitted request.
class Job {
 public:
  virtual ~Job() = default;
  // When its caller stops waiting; TimePoint::max() for never.
  virtual TimePoint deadline() const = 0;
  // True once its caller has gone. Asked under the batcher's lock: must not block.
  virtual bool cancelled() const = 0;
  // Answers the caller with an error. The batcher calls it only on a job that it does not run, and
  // once.
  virtual void Refuse(absl::Status status) = 0;
};

struct BatchOptions {
  // The most jobs that run together. Raising it raises throughput where a run is bound by reading
  // weights, the first job's latency, and the memory of activations. At least 1. Default 32: with
  // eight ResNet18s in turn, whose weights come from memory, 9 % more images/s than 8.
  size_t max_batch = 32;
  // How long a task's oldest job may wait for others to join it. Raising it fills batches at low
  // load and adds up to this much to every answer. 0 runs what is there. Default 0.
  std::chrono::microseconds max_delay{0};
  // The most jobs that wait for one task. Raising it turns refusals into waiting, and holds the
  // memory of that many requests. At least 1. Default 256.
  size_t queue_capacity = 256;
};

// What the time that a batch took does not tell.
struct RunCost {
  std::chrono::nanoseconds overhead{0};  // Spent before the first image, whatever their number.
  size_t broken = 0;  // Of its images: not run, because they could not be decoded.
};

// One bounded first-in-first-out queue per task. Not thread-safe. Every job that Push accepted
// comes out of Pop exactly once: in a batch or among the refused. Who is told of the time that
// batches take refuses at once what could not be answered in time.
class BatchQueue {
 public:
  struct Refused {
    std::unique_ptr<Job> job;
    absl::Status status;  // DEADLINE_EXCEEDED, CANCELLED, or UNAVAILABLE (abandoned).
  };
  struct Popped {
    size_t task = 0;
    std::vector<std::unique_ptr<Job>> batch;  // Of one task, oldest first; empty: none is ready.
    std::vector<Refused> refused;             // To be refused; of any task.
    // Only without a batch: when to ask again if nothing is pushed before; max() when empty.
    TimePoint due = TimePoint::max();
  };

  // Options out of range are taken at the nearest end. `workers` run batches at the same time.
  BatchQueue(const BatchOptions& options, size_t task_count, size_t workers = 1);

  // Takes `job` over. On an error it stays the caller's: RESOURCE_EXHAUSTED (the task's queue is
  // full), DEADLINE_EXCEEDED (already past, or earlier than the job could be answered, by
  // WaitEstimate; never while a worker is idle), UNAVAILABLE (closed). The first two carry a
  // Refusal. Not RESOURCE_EXHAUSTED for a deadline: clients send that again, with still less time
  // left.
  absl::Status Push(size_t task, std::unique_ptr<Job>&& job, TimePoint now);

  // While other tasks are asked too, no turn is longer than this, by what an image took in the
  // task's last batch, nor shorter than an image: a flood of a slow network would have the others
  // wait for full batches. Longer turns fill batches better (ResNet18 in f32, an image: 6.80 ms
  // alone, 6.26 in a batch of 8).
  static constexpr std::chrono::milliseconds kSharedTurn{30};
  // But where weights had to be made first, a turn is this many times as long as that took: tasks
  // whose views push each other out would make little else.
  static constexpr int kTurnsOfOverhead = 4;
  // Images of a task's first turn, of which nothing is known.
  static constexpr size_t kFirstTurn = 4;
  // Another task counts if it was asked this lately.
  static constexpr std::chrono::seconds kAskedLately{1};

  // A task is ready when it has max_batch jobs or its oldest has waited max_delay. Ready tasks take
  // turns, so that a flood on one cannot starve another.
  Popped Pop(TimePoint now);

  // A batch that Pop gave out has run: `images` of `task` in `took`. Call once for each.
  void Ran(size_t task, size_t images, std::chrono::nanoseconds took, TimePoint now,
           const RunCost& cost = {});

  // Accepts no more, and makes every waiting job ready.
  void Close() { closed_ = true; }

  // As Close, but every waiting job is refused instead of run.
  void Abandon() { closed_ = abandoned_ = true; }

  bool empty() const { return size_ == 0; }
  size_t depth(size_t task) const { return tasks_[task].size(); }
  // Until `more` jobs behind all that wait for `task` are answered: as WaitEstimate::UntilAnswered,
  // times what such estimates were lately short by.
  std::chrono::nanoseconds Wait(size_t task, size_t more, TimePoint now) const;

 private:
  struct Entry {
    std::unique_ptr<Job> job;
    TimePoint pushed;
    std::chrono::nanoseconds expected{0};  // Until its answer, as it was pushed; 0: not known.
  };
  using Queue = std::deque<Entry>;
  struct Running {
    size_t task = 0;
    size_t images = 0;
    TimePoint started;
    TimePoint pushed;                      // Of the first job,
    std::chrono::nanoseconds expected{0};  // and what was expected of it.
  };

  std::vector<Refused> TakeAll();
  TimePoint Prune(Queue& queue, TimePoint now, std::chrono::nanoseconds late_in,
                  std::vector<Refused>& refused);
  std::chrono::nanoseconds LateIn(size_t task, TimePoint now) const;
  TimePoint ReadyAt(const Queue& queue) const;
  std::chrono::nanoseconds UntilFree(TimePoint now) const;
  size_t TurnLimit(size_t task, TimePoint now) const;
  absl::Status CheckDeadline(const Job& job, std::chrono::nanoseconds expected,
                             TimePoint now) const;
  void LearnFrom(const Running& batch, TimePoint now);

  const BatchOptions options_;
  const size_t workers_;
  std::vector<Queue> tasks_;
  std::vector<std::chrono::nanoseconds> image_took_;  // By task: in its last batch; 0 before.
  std::vector<std::chrono::nanoseconds> overhead_;    // Likewise.
  std::vector<TimePoint> asked_;  // By task: when the last job came; min() for never.
  WaitEstimate estimate_;
  double shortfall_ = 1;          // Actual by estimated times, smoothed; at least 1.
  std::vector<Running> running_;  // Batches given out that have not Ran.
  size_t size_ = 0;               // Jobs in all queues.
  size_t next_ = 0;               // The task whose turn it is.
  bool closed_ = false;
  bool abandoned_ = false;
};

}  // namespace bitplex
