#include "server/serving/batcher.h"

#include <algorithm>
#include <utility>

#include "server/serving/cores.h"

namespace bitplex {

Batcher::Batcher(const BatcherOptions& options, size_t task_count, RunBatch run_batch)
    : run_batch_(std::move(run_batch)), queue_(options.batch, task_count, options.workers) {
  const size_t count = std::max<size_t>(options.workers, 1);
  costs_.resize(count);
  workers_.reserve(count);
  for (size_t worker = 0; worker < count; ++worker) {
    workers_.emplace_back([this, worker, pin = options.pin_workers] {
      if (pin) StayOnCore(worker);
      Work(worker);
    });
  }
}

Batcher::~Batcher() { Drain(); }

absl::Status Batcher::Submit(size_t task, std::unique_ptr<Job>&& job) {
  {
    std::lock_guard lock(mutex_);
    absl::Status status = queue_.Push(task, std::move(job), std::chrono::steady_clock::now());
    if (!status.ok()) return status;
  }
  changed_.notify_one();
  return absl::OkStatus();
}

void Batcher::Drain() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.Close();
  }
  changed_.notify_all();
  std::lock_guard lock(join_mutex_);
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void Batcher::CutShort() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.Abandon();
  }
  changed_.notify_all();
}

size_t Batcher::QueueDepth(size_t task) const {
  std::lock_guard lock(mutex_);
  return queue_.depth(task);
}

void Batcher::Work(size_t worker) {
  std::unique_lock lock(mutex_);
  while (true) {
    BatchQueue::Popped popped = queue_.Pop(std::chrono::steady_clock::now());
    if (popped.batch.empty() && popped.refused.empty()) {
      if (closed_) return;  // A closed queue keeps nothing back: it is empty.
      if (popped.due == TimePoint::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, popped.due);
      }
      continue;
    }
    // This worker is about to be busy. If it was the one that waited for another job's due time,
    // somebody else must take that over.
    const bool more = !queue_.empty();
    lock.unlock();
    if (more) changed_.notify_one();
    for (BatchQueue::Refused& refused : popped.refused) {
      refused.job->Refuse(std::move(refused.status));
      refused.job.reset();
    }
    const size_t images = popped.batch.size();
    const TimePoint start = std::chrono::steady_clock::now();
    costs_[worker] = {};
    if (images > 0) run_batch_(worker, popped.task, std::move(popped.batch));
    const TimePoint end = std::chrono::steady_clock::now();
    lock.lock();
    if (images > 0) queue_.Ran(popped.task, images, end - start, end, costs_[worker]);
  }
}

}  // namespace bitplex
