#include "server/serving/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/admission/refusal.h"

namespace bitplex {
namespace {

using std::chrono::nanoseconds;

// Of an estimate, added to it before it is held against a deadline: answers that come just too late
// cost as much as those in time, and others could have been in their place.
constexpr int kMarginShare = 3;

// How much of what a batch tells of the estimates counts, and how far off they can be thought to
// be.
constexpr double kLearningRate = 0.1;
constexpr double kMaxShortfall = 4;

constexpr std::chrono::microseconds kLongestDelay = std::chrono::hours(1);

BatchOptions Clamped(BatchOptions options) {
  options.queue_capacity = std::max<size_t>(options.queue_capacity, 1);
  // A batch larger than the queue could never fill.
  options.max_batch = std::clamp<size_t>(options.max_batch, 1, options.queue_capacity);
  options.max_delay =
      std::clamp(options.max_delay, std::chrono::microseconds::zero(), kLongestDelay);
  return options;
}

absl::Status Stopping() {
  return absl::UnavailableError("the server is stopping; send it to another one");
}

absl::Status Expired() {
  return Refuse(absl::DeadlineExceededError("the deadline passed before a worker was free, or was "
                                            "too near then; the request was not run"),
                {RefusalReason::kExpired});
}

}  // namespace

BatchQueue::BatchQueue(const BatchOptions& options, size_t task_count, size_t workers)
    : options_(Clamped(options)),
      workers_(std::max<size_t>(workers, 1)),
      tasks_(task_count),
      image_took_(task_count),
      overhead_(task_count),
      asked_(task_count, TimePoint::min()),
      estimate_(task_count, workers_, options_.max_batch) {}

absl::Status BatchQueue::Push(size_t task, std::unique_ptr<Job>&& job, TimePoint now) {
  if (closed_) return Stopping();
  if (task >= tasks_.size()) return absl::InternalError(absl::StrCat("no queue for task ", task));
  if (job->deadline() <= now) return Expired();
  if (tasks_[task].size() >= options_.queue_capacity) {
    return Refuse(absl::ResourceExhaustedError(
                      absl::StrCat("the task's queue is full (", options_.queue_capacity,
                                   " requests wait); retry later, or raise the queue capacity")),
                  {RefusalReason::kQueueFull, RetryDelayFrom(Wait(task, 0, now))});
  }
  const nanoseconds expected = Wait(task, 1, now);
  if (absl::Status status = CheckDeadline(*job, expected, now); !status.ok()) return status;
  tasks_[task].push_back({std::move(job), now, expected});
  asked_[task] = now;
  ++size_;
  return absl::OkStatus();
}

BatchQueue::Popped BatchQueue::Pop(TimePoint now) {
  Popped popped;
  if (abandoned_) {
    popped.refused = TakeAll();
    return popped;
  }
  for (size_t turn = 0; turn < tasks_.size() && size_ > 0; ++turn) {
    const size_t task = (next_ + turn) % tasks_.size();
    Queue& queue = tasks_[task];
    const TimePoint first_deadline = Prune(queue, now, LateIn(task, now), popped.refused);
    if (queue.empty()) continue;
    const TimePoint ready_at = ReadyAt(queue);
    if (ready_at > now) {
      popped.due = std::min({popped.due, ready_at, first_deadline});
      continue;
    }
    const size_t count = std::min(queue.size(), TurnLimit(task, now));
    popped.task = task;
    popped.batch.reserve(count);
    running_.push_back({task, count, now, queue.front().pushed, queue.front().expected});
    for (size_t i = 0; i < count; ++i) {
      popped.batch.push_back(std::move(queue.front().job));
      queue.pop_front();
    }
    size_ -= count;
    next_ = (task + 1) % tasks_.size();
    popped.due = TimePoint::max();
    break;
  }
  return popped;
}

std::vector<BatchQueue::Refused> BatchQueue::TakeAll() {
  std::vector<Refused> taken;
  taken.reserve(size_);
  for (Queue& queue : tasks_) {
    for (Entry& entry : queue) taken.push_back({std::move(entry.job), Stopping()});
    queue.clear();
  }
  size_ = 0;
  return taken;
}

void BatchQueue::Ran(size_t task, size_t images, nanoseconds took, TimePoint now,
                     const RunCost& cost) {
  const auto ended = std::find_if(running_.begin(), running_.end(), [&](const Running& batch) {
    return batch.task == task && batch.images == images;
  });
  if (ended != running_.end()) {
    LearnFrom(*ended, now);
    running_.erase(ended);
  }
  const size_t run = images - std::min(cost.broken, images);
  if (run == 0) return;
  estimate_.Ran(task, run, took, now);
  image_took_[task] = std::max((took - cost.overhead) / static_cast<int64_t>(run), nanoseconds(1));
  overhead_[task] = cost.overhead;
}

// Estimates know nothing of what else keeps the processors busy. Jobs that did not wait tell
// nothing: what they took is all compute.
void BatchQueue::LearnFrom(const Running& batch, TimePoint now) {
  if (batch.expected <= nanoseconds::zero() || batch.started <= batch.pushed) {
    shortfall_ = std::max(1.0, shortfall_ * (1 - kLearningRate));
    return;
  }
  const double actual = std::chrono::duration<double>(now - batch.pushed).count();
  const double expected = std::chrono::duration<double>(batch.expected).count() / shortfall_;
  const double ratio = std::clamp(actual / expected, 1.0, kMaxShortfall);
  shortfall_ += (ratio - shortfall_) * kLearningRate;
}

nanoseconds BatchQueue::Wait(size_t task, size_t more, TimePoint now) const {
  std::vector<size_t> depths;
  depths.reserve(tasks_.size());
  std::vector<size_t> turns;
  turns.reserve(tasks_.size());
  for (size_t each = 0; each < tasks_.size(); ++each) {
    depths.push_back(tasks_[each].size());
    turns.push_back(TurnLimit(each, now));
  }
  const nanoseconds from_free = estimate_.UntilAnswered(task, more, depths, turns, now);
  if (from_free == nanoseconds::zero()) return from_free;
  const std::chrono::duration<double, std::nano> wait = UntilFree(now) + from_free;
  return std::chrono::duration_cast<nanoseconds>(wait * shortfall_);
}

// Until the first worker has run its batch, by what such batches take.
nanoseconds BatchQueue::UntilFree(TimePoint now) const {
  if (running_.size() < workers_) return nanoseconds::zero();
  nanoseconds first = nanoseconds::max();
  for (const Running& batch : running_) {
    const nanoseconds takes =
        estimate_.PerImage(batch.task, batch.images, now) * static_cast<int64_t>(batch.images);
    first = std::min(first, std::max(takes - (now - batch.started), nanoseconds::zero()));
  }
  return first;
}

absl::Status BatchQueue::CheckDeadline(const Job& job, nanoseconds wait, TimePoint now) const {
  const bool idle = size_ == 0 && running_.size() < workers_;
  if (job.deadline() == TimePoint::max() || idle) return absl::OkStatus();
  const nanoseconds left = job.deadline() - now;
  if (wait + wait / kMarginShare <= left) return absl::OkStatus();
  return Refuse(absl::DeadlineExceededError(absl::StrCat(
                    "the deadline is in ", absl::FormatDuration(absl::FromChrono(left)),
                    ", and the queue takes about ", absl::FormatDuration(absl::FromChrono(wait)),
                    "; the request was not queued. Give it more time, or retry later")),
                {RefusalReason::kDeadline, RetryDelayFrom(wait - left)});
}

// How long the next batch of `task` takes: a job with less time left would be answered too late,
// and is not run when others could be in its place.
nanoseconds BatchQueue::LateIn(size_t task, TimePoint now) const {
  const size_t turn = TurnLimit(task, now);
  if (tasks_[task].size() <= turn) return nanoseconds::zero();
  const nanoseconds takes = estimate_.PerImage(task, turn, now) * static_cast<int64_t>(turn);
  return takes + takes / kMarginShare;
}

// In images.
size_t BatchQueue::TurnLimit(size_t task, TimePoint now) const {
  bool alone = true;
  for (size_t other = 0; other < asked_.size(); ++other) {
    // Not by a difference: never is as far away as there is.
    alone &= other == task || asked_[other] < now - kAskedLately;
  }
  if (alone) return options_.max_batch;
  if (image_took_[task] == nanoseconds::zero()) return std::min(kFirstTurn, options_.max_batch);
  const nanoseconds turn = std::max<nanoseconds>(kSharedTurn, kTurnsOfOverhead * overhead_[task]);
  return std::clamp<size_t>(static_cast<size_t>(turn / image_took_[task]), 1, options_.max_batch);
}

// Moves dead jobs to `refused` until the first max_batch jobs are alive; what lies behind them
// costs nothing now. Returns the earliest deadline of those seen alive.
TimePoint BatchQueue::Prune(Queue& queue, TimePoint now, nanoseconds late_in,
                            std::vector<Refused>& refused) {
  TimePoint first_deadline = TimePoint::max();
  size_t alive = 0;
  size_t seen = 0;
  for (; seen < queue.size() && alive < options_.max_batch; ++seen) {
    Entry& entry = queue[seen];
    const TimePoint deadline = entry.job->deadline();
    if (entry.job->cancelled()) {
      refused.push_back({std::move(entry.job), absl::CancelledError("the caller has gone")});
    } else if (deadline <= now || deadline - now < late_in) {
      refused.push_back({std::move(entry.job), Expired()});
    } else {
      first_deadline = std::min(first_deadline, deadline);
      if (alive != seen) queue[alive] = std::move(entry);
      ++alive;
    }
  }
  queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(alive),
              queue.begin() + static_cast<std::ptrdiff_t>(seen));
  size_ -= seen - alive;
  return first_deadline;
}

// `queue` has a job, and its first max_batch are alive.
TimePoint BatchQueue::ReadyAt(const Queue& queue) const {
  if (closed_ || queue.size() >= options_.max_batch) return TimePoint::min();
  return queue.front().pushed + options_.max_delay;
}

}  // namespace bitplex
