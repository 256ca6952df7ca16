#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "client/send_plan.h"

namespace bitplex {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr SendPlan::TimePoint kStart{};

SendLimits Limits(size_t max_in_flight) {
  SendLimits limits;
  limits.max_in_flight = max_in_flight;
  limits.answer_timeout = milliseconds(1000);
  limits.max_attempts = 3;
  limits.first_backoff = milliseconds(10);
  limits.max_backoff = milliseconds(15);
  return limits;
}

std::vector<size_t> SendAll(SendPlan& plan, SendPlan::TimePoint now) {
  std::vector<size_t> sent;
  while (const auto index = plan.Next(now)) sent.push_back(*index);
  return sent;
}

TEST(SendPlanTest, SendsInOrderUpToTheWindow) {
  SendPlan plan(5, Limits(3));
  EXPECT_THAT(SendAll(plan, kStart), ElementsAre(0, 1, 2));
  ASSERT_TRUE(plan.Answered(1).ok());
  EXPECT_THAT(SendAll(plan, kStart), ElementsAre(3));
  EXPECT_EQ(plan.FirstUnanswered(), 0u);
}

TEST(SendPlanTest, FinishesWhenEveryRequestIsAnswered) {
  SendPlan plan(2, Limits(3));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Answered(1).ok());
  EXPECT_FALSE(plan.finished());
  ASSERT_TRUE(plan.Answered(0).ok());
  EXPECT_TRUE(plan.finished());
  EXPECT_THAT(SendAll(plan, kStart), IsEmpty());
}

TEST(SendPlanTest, SecondAndUnaskedAnswersAreErrors) {
  SendPlan plan(5, Limits(2));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Answered(0).ok());
  EXPECT_THAT(plan.Answered(0).ToString(), HasSubstr("more often"));
  EXPECT_THAT(plan.Answered(4).ToString(), HasSubstr("never sent"));
  EXPECT_THAT(plan.Answered(1'000'000).ToString(), HasSubstr("never sent"));
  EXPECT_TRUE(absl::IsInternal(plan.Refused(0, "full", kStart)));
}

TEST(SendPlanTest, AnswerWhileWaitingToBeSentAgainIsAnError) {
  SendPlan plan(1, Limits(1));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Refused(0, "full", kStart).ok());
  EXPECT_TRUE(absl::IsInternal(plan.Answered(0)));
}

TEST(SendPlanTest, RefusedGoesAgainAfterItsPauseAndBeforeAnythingNew) {
  SendPlan plan(10, Limits(4));
  EXPECT_THAT(SendAll(plan, kStart), ElementsAre(0, 1, 2, 3));
  ASSERT_TRUE(plan.Refused(2, "full", kStart).ok());
  ASSERT_TRUE(plan.Answered(0).ok());
  EXPECT_THAT(SendAll(plan, kStart + milliseconds(9)), IsEmpty());
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(10));
  // The refusal has shown that the server holds three, and 1 and 3 are still there.
  EXPECT_THAT(SendAll(plan, kStart + milliseconds(10)), ElementsAre(2));
  EXPECT_EQ(plan.refusals(), 1u);
}

TEST(SendPlanTest, RefusedGoesAgainNoSoonerThanTheServerSuggests) {
  const auto due = [](std::chrono::milliseconds suggested) {
    SendPlan plan(1, Limits(1));
    SendAll(plan, kStart);
    EXPECT_TRUE(plan.Refused(0, "full", kStart, suggested).ok());
    return plan.WakeAt(true) - kStart;
  };
  EXPECT_EQ(due(milliseconds(40)), milliseconds(40));
  EXPECT_EQ(due(milliseconds(5)), milliseconds(10)) << "the pause of its own is longer";
  EXPECT_EQ(due(std::chrono::hours(1)), milliseconds(1000)) << "the answer's timeout";
}

TEST(SendPlanTest, WindowWidensAgainWithAnswers) {
  SendPlan plan(100, Limits(4));
  SendAll(plan, kStart);
  for (size_t i : {0, 1, 2}) ASSERT_TRUE(plan.Refused(i, "full", kStart).ok());
  const auto later = kStart + milliseconds(10);
  ASSERT_TRUE(plan.Answered(3).ok());
  // One in flight was all that the server had accepted; each round of answers adds one.
  size_t widest = 0;
  for (int round = 0; round < 20; ++round) {
    const std::vector<size_t> sent = SendAll(plan, later);
    if (round == 0) {
      EXPECT_LE(sent.size(), 2u);
    }
    widest = std::max(widest, sent.size());
    for (size_t i : sent) ASSERT_TRUE(plan.Answered(i).ok());
  }
  EXPECT_EQ(widest, 4u);
}

TEST(SendPlanTest, PausesDoubleUpToTheirBoundThenTheRefusalIsAnError) {
  SendPlan plan(1, Limits(1));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Refused(0, "full", kStart).ok());
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(10));
  SendAll(plan, kStart + milliseconds(10));
  ASSERT_TRUE(plan.Refused(0, "full", kStart).ok());
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(15));
  SendAll(plan, kStart + milliseconds(15));
  const absl::Status last = plan.Refused(0, "queue full", kStart);
  EXPECT_TRUE(absl::IsResourceExhausted(last)) << last;
  EXPECT_THAT(last.ToString(), HasSubstr("3 times"));
  EXPECT_THAT(last.ToString(), HasSubstr("queue full"));
}

TEST(SendPlanTest, OverdueAnswerIsAnErrorThatNamesTheImage) {
  SendPlan plan(3, Limits(2));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Answered(0).ok());
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(1000));
  EXPECT_TRUE(plan.CheckTimeouts(kStart + milliseconds(999)).ok());
  const absl::Status late = plan.CheckTimeouts(kStart + milliseconds(1000));
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(late.ToString(), HasSubstr("image 1 "));
}

TEST(SendPlanTest, DoesNotWakeForWhatCannotBeSent) {
  SendPlan plan(2, Limits(2));
  SendAll(plan, kStart);
  ASSERT_TRUE(plan.Refused(1, "full", kStart).ok());
  // Image 0 fills the window of one, so image 1 would only be looked at in vain.
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(1000));
  ASSERT_TRUE(plan.Answered(0).ok());
  EXPECT_EQ(plan.WakeAt(true), kStart + milliseconds(10));
  EXPECT_EQ(plan.WakeAt(false), SendPlan::TimePoint::max());
}

}  // namespace
}  // namespace bitplex
