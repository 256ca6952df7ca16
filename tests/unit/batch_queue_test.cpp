#include "server/serving/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/admission/refusal.h"

namespace bitplex {
namespace {

using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Every time in these tests is made up: microseconds after an arbitrary zero.
TimePoint At(int64_t us) { return TimePoint(std::chrono::hours(1)) + microseconds(us); }

struct FakeJob : Job {
  explicit FakeJob(int id_in, TimePoint deadline_in = TimePoint::max())
      : id(id_in), when(deadline_in) {}
  TimePoint deadline() const override { return when; }
  bool cancelled() const override { return gone; }
  void Refuse(absl::Status) override { ADD_FAILURE() << "the queue itself refuses nothing"; }

  int id;
  TimePoint when;
  bool gone = false;
};

int Id(const std::unique_ptr<Job>& job) { return static_cast<const FakeJob&>(*job).id; }

std::vector<int> Ids(const BatchQueue::Popped& popped) {
  std::vector<int> ids;
  for (const auto& job : popped.batch) ids.push_back(Id(job));
  return ids;
}

// Pushes a job that must be accepted, and returns it for later changes.
FakeJob* Add(BatchQueue& queue, size_t task, int id, TimePoint now = At(0),
             TimePoint deadline = TimePoint::max()) {
  auto job = std::make_unique<FakeJob>(id, deadline);
  FakeJob* raw = job.get();
  const absl::Status status = queue.Push(task, std::move(job), now);
  EXPECT_TRUE(status.ok()) << status;
  return raw;
}

TEST(BatchQueueTest, EmptyQueueHasNothingReadyAndNothingDue) {
  BatchQueue queue({}, 3);
  const auto popped = queue.Pop(At(0));
  EXPECT_THAT(popped.batch, IsEmpty());
  EXPECT_THAT(popped.refused, IsEmpty());
  EXPECT_EQ(popped.due, TimePoint::max());
  EXPECT_TRUE(queue.empty());
}

TEST(BatchQueueTest, WithoutDelayOneJobRunsAtOnce) {
  BatchQueue queue({.max_batch = 8}, 2);
  Add(queue, 1, 7);
  const auto popped = queue.Pop(At(0));
  EXPECT_EQ(popped.task, 1u);
  EXPECT_THAT(Ids(popped), ElementsAre(7));
  EXPECT_TRUE(queue.empty());
}

TEST(BatchQueueTest, BatchesAreOldestFirstAndNoLargerThanMaxBatch) {
  BatchQueue queue({.max_batch = 3}, 1);
  for (int id = 0; id < 7; ++id) Add(queue, 0, id);
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(0, 1, 2));
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(3, 4, 5));
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(6));
}

TEST(BatchQueueTest, BatchesNeverMixTasks) {
  BatchQueue queue({.max_batch = 8}, 2);
  for (int id = 0; id < 6; ++id) Add(queue, id % 2, id);
  auto first = queue.Pop(At(0));
  auto second = queue.Pop(At(0));
  EXPECT_EQ(first.task, 0u);
  EXPECT_THAT(Ids(first), ElementsAre(0, 2, 4));
  EXPECT_EQ(second.task, 1u);
  EXPECT_THAT(Ids(second), ElementsAre(1, 3, 5));
}

TEST(BatchQueueTest, APartialBatchWaitsExactlyMaxDelay) {
  BatchQueue queue({.max_batch = 4, .max_delay = microseconds(100)}, 1);
  Add(queue, 0, 1, At(10));
  Add(queue, 0, 2, At(50));
  const auto early = queue.Pop(At(109));
  EXPECT_THAT(early.batch, IsEmpty());
  EXPECT_EQ(early.due, At(110)) << "the oldest job counts";
  EXPECT_THAT(Ids(queue.Pop(At(110))), ElementsAre(1, 2));
}

TEST(BatchQueueTest, AFullBatchDoesNotWait) {
  BatchQueue queue({.max_batch = 2, .max_delay = microseconds(100)}, 1);
  Add(queue, 0, 1);
  EXPECT_THAT(queue.Pop(At(0)).batch, IsEmpty());
  Add(queue, 0, 2);
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(1, 2));
}

TEST(BatchQueueTest, AQueueSmallerThanABatchDoesNotWaitWhenFull) {
  BatchQueue queue({.max_batch = 8, .max_delay = microseconds(100), .queue_capacity = 2}, 1);
  Add(queue, 0, 1);
  Add(queue, 0, 2);
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(1, 2));
}

TEST(BatchQueueTest, DueIsTheEarliestOverAllTasks) {
  BatchQueue queue({.max_batch = 4, .max_delay = microseconds(100)}, 3);
  Add(queue, 2, 1, At(5));
  Add(queue, 0, 2, At(9));
  EXPECT_EQ(queue.Pop(At(10)).due, At(105));
}

TEST(BatchQueueTest, DueIsNoLaterThanADeadlineSoThatItIsAnsweredInTime) {
  BatchQueue queue({.max_batch = 4, .max_delay = microseconds(100)}, 1);
  Add(queue, 0, 1, At(0));
  Add(queue, 0, 2, At(0), At(30));
  EXPECT_EQ(queue.Pop(At(1)).due, At(30));
  const auto popped = queue.Pop(At(30));
  EXPECT_THAT(popped.batch, IsEmpty());
  ASSERT_THAT(popped.refused, SizeIs(1));
  EXPECT_EQ(popped.due, At(100));
}

TEST(BatchQueueTest, FullQueueRefusesAndLeavesTheJobWithTheCaller) {
  BatchQueue queue({.max_batch = 1, .queue_capacity = 2}, 2);
  Add(queue, 0, 1);
  Add(queue, 0, 2);
  std::unique_ptr<Job> extra = std::make_unique<FakeJob>(3);
  const absl::Status status = queue.Push(0, std::move(extra), At(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 requests wait"));
  ASSERT_NE(extra, nullptr);
  EXPECT_EQ(Id(extra), 3);
  Add(queue, 1, 4);  // The other task's queue is its own.
  EXPECT_EQ(queue.depth(0), 2u);
  queue.Pop(At(0));
  EXPECT_TRUE(queue.Push(0, std::move(extra), At(0)).ok());
  EXPECT_EQ(extra, nullptr);
}

TEST(BatchQueueTest, AJobPastItsDeadlineIsNotAccepted) {
  BatchQueue queue({}, 1);
  std::unique_ptr<Job> late = std::make_unique<FakeJob>(1, At(10));
  EXPECT_EQ(queue.Push(0, std::move(late), At(10)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(late, nullptr);
  EXPECT_TRUE(queue.Push(0, std::move(late), At(9)).ok());
}

// A queue that has seen batches of 4 images of task 0, which took 40 us each.
class MeasuredQueue : public ::testing::Test {
 protected:
  MeasuredQueue() {
    for (size_t i = 0; i < WaitEstimate::kSamples; ++i) {
      for (int id = 0; id < 4; ++id) Add(queue_, 0, id);
      EXPECT_THAT(queue_.Pop(At(-40)).batch, SizeIs(4));
      queue_.Ran(0, 4, microseconds(40), At(0));
    }
  }
  // The worker begins a batch now, and then `waiting` jobs come.
  void Fill(size_t waiting) {
    for (int id = 0; id < 4; ++id) Add(queue_, 0, id);
    EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(4));
    for (size_t id = 0; id < waiting; ++id) Add(queue_, 0, static_cast<int>(id));
  }
  absl::Status PushUntil(int64_t deadline_us, int64_t now_us = 0, size_t task = 0) {
    return queue_.Push(task, std::make_unique<FakeJob>(99, At(deadline_us)), At(now_us));
  }

  BatchQueue queue_{{.max_batch = 4, .queue_capacity = 16}, 2};
};

TEST_F(MeasuredQueue, AFullQueueSaysWhenItWillBeEmpty) {
  Fill(16);
  const absl::Status status = PushUntil(1'000'000);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::optional<Refusal> refusal = FindRefusal(status);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, RefusalReason::kQueueFull);
  EXPECT_EQ(queue_.Wait(0, 0, At(0)), microseconds(40 + 160));
  EXPECT_EQ(refusal->retry_delay, kMinRetryDelay);
}

TEST_F(MeasuredQueue, AJobThatWouldBeLateIsRefusedAtOnce) {
  Fill(8);  // What runs 40 us, what waits 80, then 40 for the batch of the job itself; and a third.
  EXPECT_TRUE(PushUntil(214).ok());
  const absl::Status status = PushUntil(213);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the deadline is in 213us"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("about 160us"));
  const std::optional<Refusal> refusal = FindRefusal(status);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, RefusalReason::kDeadline);
  EXPECT_EQ(queue_.depth(0), 9u);
}

TEST_F(MeasuredQueue, WhatRunsIsNearerToItsEndAsTimePasses) {
  Fill(8);
  EXPECT_EQ(queue_.Wait(0, 1, At(0)), microseconds(160));
  EXPECT_EQ(queue_.Wait(0, 1, At(30)), microseconds(130));
  EXPECT_EQ(queue_.Wait(0, 1, At(5000)), microseconds(120)) << "it may end at any moment";
  queue_.Ran(0, 4, microseconds(40), At(40));
  EXPECT_EQ(queue_.Wait(0, 1, At(40)), microseconds(120)) << "a worker is free";
}

TEST_F(MeasuredQueue, WhatWouldBeLateIsNotRunInTheWayOfOthers) {
  Fill(0);
  ASSERT_TRUE(PushUntil(110).ok());
  for (int id = 0; id < 4; ++id) Add(queue_, 0, id);
  const auto popped = queue_.Pop(At(61));
  EXPECT_THAT(Ids(popped), ElementsAre(0, 1, 2, 3))
      << "49 us were left of 110, a batch takes 40 and a third";
  ASSERT_THAT(popped.refused, SizeIs(1));
  EXPECT_EQ(popped.refused[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  // With room for it, it has its chance.
  ASSERT_TRUE(queue_.Push(0, std::make_unique<FakeJob>(7, At(300)), At(100)).ok());
  EXPECT_THAT(Ids(queue_.Pop(At(299))), ElementsAre(7));
}

TEST_F(MeasuredQueue, AnIdleWorkerRefusesNothing) { EXPECT_TRUE(PushUntil(1).ok()); }

TEST_F(MeasuredQueue, ATaskOfWhichNothingIsKnownRefusesNothing) {
  Fill(8);
  EXPECT_TRUE(PushUntil(1, 0, 1).ok());
}

TEST_F(MeasuredQueue, ABusyWorkerWithAnEmptyQueueRefusesOnlyWhatItCannotDoInTime) {
  Fill(0);
  EXPECT_FALSE(PushUntil(106).ok());
  EXPECT_TRUE(PushUntil(107).ok());
}

TEST_F(MeasuredQueue, LearnsByHowMuchItsEstimatesAreShort) {
  for (int round = 0; round < 100; ++round) {
    for (int id = 0; id < 4; ++id) Add(queue_, 0, id);
    EXPECT_THAT(queue_.Pop(At(1)).batch, SizeIs(4));
    queue_.Ran(0, 4, microseconds(40), At(80));  // Twice what was expected, from At(0).
  }
  Add(queue_, 0, 0);
  EXPECT_NEAR(static_cast<double>(queue_.Wait(0, 1, At(80)).count()), 2 * 40e3, 1e3);
  // And forgets it when nothing has to wait.
  for (int round = 0; round < 100; ++round) {
    EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(1));
    queue_.Ran(0, 1, microseconds(10), At(10));
    Add(queue_, 0, 0);
  }
  EXPECT_EQ(queue_.Wait(0, 1, At(80)), microseconds(20)) << "two images of 10 us";
}

TEST_F(MeasuredQueue, BrokenImagesTellNothingOfTheTimeThatOthersTake) {
  for (int round = 0; round < 100; ++round) {
    for (int id = 0; id < 4; ++id) Add(queue_, 0, id);
    EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(4));
    // Refused in a microsecond; then one of four ran.
    const size_t broken = round % 2 == 0 ? 4 : 3;
    queue_.Ran(0, 4, microseconds(broken == 4 ? 1 : 10), At(0), {.broken = broken});
  }
  EXPECT_EQ(queue_.Wait(0, 1, At(0)), microseconds(10));
}

TEST_F(MeasuredQueue, OldMeasurementsRefuseNothing) {
  Fill(8);
  const TimePoint later = At(0) + WaitEstimate::kFresh + microseconds(1);
  EXPECT_TRUE(queue_.Push(0, std::make_unique<FakeJob>(99, later + microseconds(1)), later).ok());
}

// Of two tasks, batches of up to 32; an image of task 0 takes 10 ms.
class SlowTask : public ::testing::Test {
 protected:
  SlowTask() {
    for (size_t i = 0; i < WaitEstimate::kSamples; ++i) {
      Add(queue_, 0, 0);
      EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(1));
      queue_.Ran(0, 1, std::chrono::milliseconds(10), At(0));
    }
    for (int id = 0; id < 100; ++id) Add(queue_, 0, id);
  }
  BatchQueue queue_{{.max_batch = 32}, 2};
};

TEST_F(SlowTask, FillsItsBatchesWhenItIsAlone) {
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(32));
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(32));
}

TEST_F(SlowTask, HasShortTurnsWhileAnotherIsAsked) {
  Add(queue_, 1, 1000);
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(1)) << "of task 1, of which nothing is known";
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(3)) << "30 ms";
  const TimePoint later = At(0) + BatchQueue::kAskedLately;
  EXPECT_THAT(queue_.Pop(later).batch, SizeIs(3));
  EXPECT_THAT(queue_.Pop(later + microseconds(1)).batch, SizeIs(32));
}

TEST_F(SlowTask, HasLongerTurnsWhereWeightsHaveToBeMadeForEach) {
  queue_.Ran(0, 1, std::chrono::milliseconds(30), At(0),
             {.overhead = std::chrono::milliseconds(20)});
  Add(queue_, 1, 1000);
  queue_.Pop(At(0));
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(8)) << "four times 20 ms, of 10 ms each";
}

TEST_F(SlowTask, AnImageIsATurnHoweverLongItTakes) {
  for (size_t i = 0; i < WaitEstimate::kSamples; ++i)
    queue_.Ran(0, 1, std::chrono::seconds(1), At(0));
  Add(queue_, 1, 1000);
  queue_.Pop(At(0));
  EXPECT_THAT(queue_.Pop(At(0)).batch, SizeIs(1));
}

TEST(BatchQueueTest, WhatExpiresSaysSo) {
  BatchQueue queue({}, 1);
  const absl::Status late = queue.Push(0, std::make_unique<FakeJob>(1, At(1)), At(2));
  ASSERT_TRUE(FindRefusal(late));
  EXPECT_EQ(FindRefusal(late)->reason, RefusalReason::kExpired);
  Add(queue, 0, 2, At(0), At(5));
  const auto popped = queue.Pop(At(5));
  ASSERT_THAT(popped.refused, SizeIs(1));
  ASSERT_TRUE(FindRefusal(popped.refused[0].status));
  EXPECT_EQ(FindRefusal(popped.refused[0].status)->reason, RefusalReason::kExpired);
}

TEST(BatchQueueTest, AnUnknownTaskIsRefused) {
  BatchQueue queue({}, 2);
  EXPECT_EQ(queue.Push(2, std::make_unique<FakeJob>(1), At(0)).code(), absl::StatusCode::kInternal);
}

TEST(BatchQueueTest, ExpiredAndCancelledJobsComeBackSeparately) {
  BatchQueue queue({.max_batch = 3}, 1);
  Add(queue, 0, 0, At(0), At(5));
  Add(queue, 0, 1);
  Add(queue, 0, 2)->gone = true;
  Add(queue, 0, 3);
  Add(queue, 0, 4, At(0), At(6));
  Add(queue, 0, 5);
  Add(queue, 0, 6);
  const auto popped = queue.Pop(At(6));
  EXPECT_THAT(Ids(popped), ElementsAre(1, 3, 5)) << "the dead do not take places in the batch";
  ASSERT_THAT(popped.refused, SizeIs(3));
  EXPECT_EQ(Id(popped.refused[0].job), 0);
  EXPECT_EQ(popped.refused[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Id(popped.refused[1].job), 2);
  EXPECT_EQ(popped.refused[1].status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Id(popped.refused[2].job), 4);
  EXPECT_EQ(popped.refused[2].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Ids(queue.Pop(At(6))), ElementsAre(6));
}

TEST(BatchQueueTest, OnlyDeadJobsGiveNoBatch) {
  BatchQueue queue({.max_batch = 2}, 2);
  Add(queue, 0, 0)->gone = true;
  Add(queue, 1, 1, At(0), At(1));
  const auto popped = queue.Pop(At(2));
  EXPECT_THAT(popped.batch, IsEmpty());
  EXPECT_THAT(popped.refused, SizeIs(2));
  EXPECT_TRUE(queue.empty());
}

TEST(BatchQueueTest, ADeadOldestJobDoesNotMakeItsTaskReady) {
  BatchQueue queue({.max_batch = 4, .max_delay = microseconds(100)}, 1);
  Add(queue, 0, 0, At(0))->gone = true;
  Add(queue, 0, 1, At(80));
  const auto popped = queue.Pop(At(100));
  EXPECT_THAT(popped.batch, IsEmpty());
  EXPECT_EQ(popped.due, At(180));
}

TEST(BatchQueueTest, AFloodOnOneTaskDoesNotStarveAnother) {
  BatchQueue queue({.max_batch = 2, .queue_capacity = 100}, 3);
  for (int id = 0; id < 100; ++id) Add(queue, 0, id);
  Add(queue, 1, 1000);
  Add(queue, 2, 2000);
  std::vector<size_t> order;
  for (int i = 0; i < 5; ++i) {
    order.push_back(queue.Pop(At(0)).task);
    if (i == 2) Add(queue, 2, 2001);
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 0, 2));
}

TEST(BatchQueueTest, ClosedQueueAcceptsNothingAndHoldsNothingBack) {
  BatchQueue queue({.max_batch = 4, .max_delay = microseconds(100)}, 2);
  Add(queue, 0, 1);
  Add(queue, 1, 2);
  queue.Close();
  std::unique_ptr<Job> extra = std::make_unique<FakeJob>(3);
  EXPECT_EQ(queue.Push(0, std::move(extra), At(0)).code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(extra, nullptr);
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(1));
  EXPECT_THAT(Ids(queue.Pop(At(0))), ElementsAre(2));
  EXPECT_TRUE(queue.empty());
}

TEST(BatchQueueTest, OptionsOutOfRangeAreTakenAtTheNearestEnd) {
  BatchQueue zeros({.max_batch = 0, .max_delay = microseconds(-5), .queue_capacity = 0}, 1);
  Add(zeros, 0, 1);
  EXPECT_EQ(zeros.Push(0, std::make_unique<FakeJob>(2), At(0)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Ids(zeros.Pop(At(0))), ElementsAre(1));

  BatchQueue endless({.max_batch = SIZE_MAX, .max_delay = microseconds::max()}, 1);
  Add(endless, 0, 1, At(0));
  EXPECT_EQ(endless.Pop(At(0)).due, At(0) + std::chrono::hours(1));
}

// A pseudo-random life of three tasks: what goes in comes out once, in order within its task.
TEST(BatchQueueTest, NothingIsLostDoubledOrReordered) {
  BatchQueue queue({.max_batch = 5, .max_delay = microseconds(20), .queue_capacity = 16}, 3);
  std::vector<int> last_run(3, -1);
  size_t accepted = 0, returned = 0;
  uint32_t random = 1;
  for (int step = 0; step < 20'000; ++step) {
    random = random * 1664525 + 1013904223;
    const size_t task = (random >> 8) % 3;
    if ((random >> 16) % 4 != 0) {
      auto job = std::make_unique<FakeJob>(step);
      if ((random >> 20) % 8 == 0) job->gone = true;
      if ((random >> 24) % 8 == 0) job->when = At(step + 10);
      accepted += queue.Push(task, std::move(job), At(step)).ok();
      continue;
    }
    const auto popped = queue.Pop(At(step));
    ASSERT_LE(popped.batch.size(), 5u);
    for (const int id : Ids(popped)) {
      ASSERT_GT(id, last_run[popped.task]);
      last_run[popped.task] = id;
    }
    returned += popped.batch.size() + popped.refused.size();
    ASSERT_EQ(accepted - returned, queue.depth(0) + queue.depth(1) + queue.depth(2));
  }
  queue.Close();
  while (!queue.empty()) {
    const auto popped = queue.Pop(At(100'000));
    returned += popped.batch.size() + popped.refused.size();
  }
  EXPECT_EQ(returned, accepted);
  EXPECT_GT(accepted, 5'000u);
}

}  // namespace
}  // namespace bitplex
