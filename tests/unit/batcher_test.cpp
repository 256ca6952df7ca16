#include "server/serving/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace bitplex {
namespace {

using Jobs = std::vector<std::unique_ptr<Job>>;

// What became of one submitted job. Outlives the batcher.
struct Fate {
  std::atomic<int> runs{0};
  std::atomic<int> refusals{0};
  std::atomic<absl::StatusCode> code{absl::StatusCode::kOk};
  std::atomic<bool> expired{false};
  std::atomic<bool> cancelled{false};
  size_t task = 0;
};

class TestJob : public Job {
 public:
  explicit TestJob(Fate& fate) : fate_(fate) {}
  TimePoint deadline() const override {
    return fate_.expired ? TimePoint::min() : TimePoint::max();
  }
  bool cancelled() const override { return fate_.cancelled; }
  void Refuse(absl::Status status) override {
    fate_.code = status.code();
    ++fate_.refusals;
  }
  Fate& fate() { return fate_; }

 private:
  Fate& fate_;
};

Fate& FateOf(const std::unique_ptr<Job>& job) { return static_cast<TestJob&>(*job).fate(); }

void MarkRun(const Jobs& jobs) {
  for (const auto& job : jobs) ++FateOf(job).runs;
}

absl::Status Submit(Batcher& batcher, size_t task, Fate& fate) {
  fate.task = task;
  return batcher.Submit(task, std::make_unique<TestJob>(fate));
}

// Holds the only worker in its first batch until Open().
class BlockedBatcher {
 public:
  explicit BlockedBatcher(const BatchOptions& options, size_t tasks = 2)
      : batcher({.batch = options}, tasks, [this](size_t, size_t task, Jobs jobs) {
          started_.count_down();
          gate_.wait();
          MarkRun(jobs);
          order.push_back(task);
        }) {
    EXPECT_TRUE(Submit(batcher, 0, first).ok());
    started_.wait();
  }
  ~BlockedBatcher() { Open(); }
  void Open() {
    if (!opened_) gate_.count_down();
    opened_ = true;
  }

 private:
  std::latch started_{1};
  std::latch gate_{1};
  bool opened_ = false;

 public:
  Fate first;
  std::vector<size_t> order;  // Of the batches; read it after Drain.
  Batcher batcher;
};

TEST(BatcherTest, ManySubmittersLoseAndDoubleNothing) {
  constexpr size_t kSubmitters = 64, kEach = 50, kTasks = 3, kMaxBatch = 4, kWorkers = 3;
  std::vector<Fate> fates(kSubmitters * kEach);
  std::atomic<int> faults{0};
  std::array<std::atomic<bool>, kWorkers> busy{};
  Batcher batcher(
      {.batch = {.max_batch = kMaxBatch, .queue_capacity = fates.size()}, .workers = kWorkers},
      kTasks, [&](size_t worker, size_t task, Jobs jobs) {
        faults += worker >= kWorkers || busy[worker].exchange(true);
        faults += jobs.empty() || jobs.size() > kMaxBatch;
        for (const auto& job : jobs) faults += FateOf(job).task != task;
        MarkRun(jobs);
        busy[worker] = false;
      });
  {
    std::vector<std::jthread> submitters;
    for (size_t s = 0; s < kSubmitters; ++s) {
      submitters.emplace_back([&, s] {
        for (size_t i = 0; i < kEach; ++i) {
          faults += !Submit(batcher, (s + i) % kTasks, fates[s * kEach + i]).ok();
        }
      });
    }
  }
  batcher.Drain();
  EXPECT_EQ(faults, 0);
  for (const Fate& fate : fates) {
    ASSERT_EQ(fate.runs, 1);
    ASSERT_EQ(fate.refusals, 0);
  }
}

TEST(BatcherTest, DelayedBatchesOfSeveralTasksAllComeDue) {
  // Two workers, three tasks, partial batches only: each becomes due by time alone, also when the
  // worker that waited for it has become busy with another.
  constexpr int kRounds = 200;
  std::vector<Fate> fates(3 * kRounds);
  std::latch answered(3 * kRounds);
  Batcher batcher(
      {.batch = {.max_batch = 8, .max_delay = std::chrono::microseconds(50)}, .workers = 2}, 3,
      [&](size_t, size_t, Jobs jobs) {
        MarkRun(jobs);
        answered.count_down(static_cast<std::ptrdiff_t>(jobs.size()));
      });
  for (size_t i = 0; i < fates.size(); ++i) {
    while (!Submit(batcher, i % 3, fates[i]).ok()) std::this_thread::yield();
  }
  answered.wait();  // Hangs here if a due time is slept through.
  for (const Fate& fate : fates) ASSERT_EQ(fate.runs, 1);
}

TEST(BatcherTest, FullQueueRefusesAtOnceWhileTheWorkerIsBusy) {
  std::vector<Fate> fates(3);
  BlockedBatcher blocked({.max_batch = 4, .queue_capacity = 2});
  EXPECT_TRUE(Submit(blocked.batcher, 1, fates[0]).ok());
  EXPECT_TRUE(Submit(blocked.batcher, 1, fates[1]).ok());
  EXPECT_EQ(blocked.batcher.QueueDepth(1), 2u);
  std::unique_ptr<Job> extra = std::make_unique<TestJob>(fates[2]);
  EXPECT_EQ(blocked.batcher.Submit(1, std::move(extra)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_NE(extra, nullptr) << "a job that was not accepted stays the caller's";
  blocked.Open();
  blocked.batcher.Drain();
  EXPECT_EQ(fates[0].runs, 1);
  EXPECT_EQ(fates[1].runs, 1);
  EXPECT_EQ(fates[2].runs + fates[2].refusals, 0);
  EXPECT_EQ(blocked.batcher.QueueDepth(1), 0u);
}

TEST(BatcherTest, ExpiredAndCancelledJobsAreRefusedAndNotRun) {
  std::vector<Fate> fates(3);
  BlockedBatcher blocked({.max_batch = 4});
  for (Fate& fate : fates) EXPECT_TRUE(Submit(blocked.batcher, 1, fate).ok());
  fates[0].expired = true;
  fates[1].cancelled = true;
  blocked.Open();
  blocked.batcher.Drain();
  EXPECT_EQ(fates[0].runs, 0);
  EXPECT_EQ(fates[0].refusals, 1);
  EXPECT_EQ(fates[0].code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(fates[1].runs, 0);
  EXPECT_EQ(fates[1].refusals, 1);
  EXPECT_EQ(fates[1].code, absl::StatusCode::kCancelled);
  EXPECT_EQ(fates[2].runs, 1);
  EXPECT_EQ(fates[2].refusals, 0);
}

TEST(BatcherTest, AnExpiredJobIsNotAccepted) {
  Fate fate;
  fate.expired = true;
  Batcher batcher({}, 1, [](size_t, size_t, Jobs) { ADD_FAILURE(); });
  EXPECT_EQ(Submit(batcher, 0, fate).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(BatcherTest, AFloodOnOneTaskDoesNotStarveAnother) {
  std::vector<Fate> flood(40);
  Fate lone;
  BlockedBatcher blocked({.max_batch = 2, .queue_capacity = 64});
  for (Fate& fate : flood) EXPECT_TRUE(Submit(blocked.batcher, 0, fate).ok());
  EXPECT_TRUE(Submit(blocked.batcher, 1, lone).ok());
  blocked.Open();
  blocked.batcher.Drain();
  // The blocking batch, 20 of the flood or more if its turns are short, the lone one.
  ASSERT_GE(blocked.order.size(), 22u);
  EXPECT_EQ(blocked.order[1], 1u) << "task 0 had its turn";
}

TEST(BatcherTest, DrainAnswersWhatWasAcceptedAndRefusesTheRest) {
  std::vector<Fate> fates(100);
  std::atomic<size_t> accepted{0};
  {
    Batcher batcher({.batch = {.max_batch = 4, .max_delay = std::chrono::hours(1)}, .workers = 2},
                    2, [](size_t, size_t, Jobs jobs) { MarkRun(jobs); });
    std::jthread submitter([&] {
      for (size_t i = 0; i < fates.size(); ++i) {
        const absl::Status status = Submit(batcher, i % 2, fates[i]);
        if (!status.ok()) {
          EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
          break;
        }
        ++accepted;
      }
    });
    std::jthread other_drainer([&] { batcher.Drain(); });
    batcher.Drain();
    Fate late;
    EXPECT_EQ(Submit(batcher, 0, late).code(), absl::StatusCode::kUnavailable);
    other_drainer.join();
    submitter.join();
  }
  for (size_t i = 0; i < fates.size(); ++i) ASSERT_EQ(fates[i].runs, i < accepted ? 1 : 0) << i;
}

TEST(BatcherTest, CutShortEndsADrainByRefusingWhatWaits) {
  std::vector<Fate> fates(20);
  BlockedBatcher blocked({.max_batch = 2, .queue_capacity = 64});
  for (Fate& fate : fates) EXPECT_TRUE(Submit(blocked.batcher, 1, fate).ok());
  std::jthread drainer([&] { blocked.batcher.Drain(); });
  blocked.batcher.CutShort();
  blocked.Open();
  drainer.join();
  for (const Fate& fate : fates) {
    EXPECT_EQ(fate.runs, 0);
    EXPECT_EQ(fate.refusals, 1);
    EXPECT_EQ(fate.code, absl::StatusCode::kUnavailable);
  }
  Fate late;
  EXPECT_EQ(Submit(blocked.batcher, 0, late).code(), absl::StatusCode::kUnavailable);
}

TEST(BatcherTest, DestructionDrains) {
  std::vector<Fate> fates(5);
  {
    Batcher batcher({.batch = {.max_batch = 8, .max_delay = std::chrono::hours(1)}}, 1,
                    [](size_t, size_t, Jobs jobs) { MarkRun(jobs); });
    for (Fate& fate : fates) EXPECT_TRUE(Submit(batcher, 0, fate).ok());
  }
  for (const Fate& fate : fates) EXPECT_EQ(fate.runs, 1);
}

TEST(BatcherTest, ZeroWorkersCountAsOne) {
  Fate fate;
  Batcher batcher({.workers = 0}, 1, [](size_t, size_t, Jobs jobs) { MarkRun(jobs); });
  EXPECT_TRUE(Submit(batcher, 0, fate).ok());
  batcher.Drain();
  EXPECT_EQ(fate.runs, 1);
}

}  // namespace
}  // namespace bitplex
