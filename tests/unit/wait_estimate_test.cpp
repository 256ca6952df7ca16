#include "server/admission/wait_estimate.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitplex {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

WaitEstimate::TimePoint At(int64_t ms) { return WaitEstimate::TimePoint(milliseconds(ms)); }

// Enough batches of `images`, each of which takes `ms` for every image.
void Measure(WaitEstimate& estimate, size_t task, size_t images, int64_t ms, int64_t until = 0) {
  for (size_t i = 0; i < WaitEstimate::kSamples; ++i)
    estimate.Ran(task, images, milliseconds(ms * static_cast<int64_t>(images)), At(until));
}

TEST(WaitEstimateTest, KnowsNothingAtFirst) {
  WaitEstimate estimate(2, 1, 8);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {100, 100}, {8, 8}, At(0)), nanoseconds::zero());
  for (size_t i = 1; i < WaitEstimate::kMinSamples; ++i)
    estimate.Ran(0, 8, milliseconds(80), At(0));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {100, 100}, {8, 8}, At(0)), nanoseconds::zero());
  estimate.Ran(0, 8, milliseconds(80), At(0));
  EXPECT_GT(estimate.UntilAnswered(0, 1, {100, 100}, {8, 8}, At(0)), nanoseconds::zero());
  EXPECT_EQ(estimate.UntilAnswered(1, 1, {100, 100}, {8, 8}, At(0)), nanoseconds::zero())
      << "of another task it knows nothing";
}

TEST(WaitEstimateTest, TheFirstBatchOfATaskDoesNotCountThoughItTakesLong) {
  WaitEstimate estimate(1, 1, 8);
  estimate.Ran(0, 8, milliseconds(8000), At(0));
  for (int i = 0; i < 3; ++i) estimate.Ran(0, 8, milliseconds(8), At(1));
  EXPECT_EQ(estimate.PerImage(0, 8, At(1)), milliseconds(1));
}

// As on a quiet server: the last batches were of one image, but larger ones were seen.
void MeasureQuiet(WaitEstimate& estimate, size_t task, int64_t ms) {
  Measure(estimate, task, 8, ms);
  Measure(estimate, task, 1, ms);
}

TEST(WaitEstimateTest, CountsWhatWaitsBeforeAndTheOwnBatch) {
  WaitEstimate estimate(1, 1, 8);
  MeasureQuiet(estimate, 0, 1);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {0}, {8}, At(0)), milliseconds(1));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {7}, {8}, At(0)), milliseconds(8));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {8}, {8}, At(0)), milliseconds(9));
  EXPECT_EQ(estimate.UntilAnswered(0, 0, {80}, {8}, At(0)), milliseconds(80));
  EXPECT_EQ(estimate.UntilAnswered(0, 0, {0}, {8}, At(0)), nanoseconds::zero());
}

TEST(WaitEstimateTest, TheOwnBatchIsAsLargeAsTheLastOnesWere) {
  WaitEstimate estimate(1, 1, 8);
  Measure(estimate, 0, 8, 1);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {0}, {8}, At(0)), milliseconds(8));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {8}, {8}, At(0)), milliseconds(16));
  // One smaller batch is no change; half of the last ones are.
  estimate.Ran(0, 1, milliseconds(1), At(0));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {0}, {8}, At(0)), milliseconds(8));
  for (int i = 0; i < 3; ++i) estimate.Ran(0, 1, milliseconds(1), At(0));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {0}, {8}, At(0)), milliseconds(1));
}

TEST(WaitEstimateTest, WorkersShareAllButTheLastBatch) {
  WaitEstimate estimate(1, 4, 8);
  MeasureQuiet(estimate, 0, 1);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {0}, {8}, At(0)), milliseconds(1));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {39}, {8}, At(0)), milliseconds(32 / 4 + 8));
}

TEST(WaitEstimateTest, OtherTasksTakeTheirTurnsBetweenAndNoMore) {
  WaitEstimate estimate(3, 1, 8);
  MeasureQuiet(estimate, 0, 1);
  Measure(estimate, 1, 8, 10);
  // One batch: it may be the task's turn.
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {3, 1000, 0}, {8, 8, 8}, At(0)), milliseconds(4));
  // Three batches, and two of the flooded task between them; of task 2 nothing is known.
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {16, 1000, 50}, {8, 8, 8}, At(0)),
            milliseconds(16 + 160 + 1));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {16, 3, 0}, {8, 8, 8}, At(0)), milliseconds(16 + 30 + 1));
}

TEST(WaitEstimateTest, ShortTurnsLetOthersInMoreOften) {
  WaitEstimate estimate(2, 1, 8);
  MeasureQuiet(estimate, 0, 1);
  MeasureQuiet(estimate, 1, 10);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {7, 100}, {8, 8}, At(0)), milliseconds(8));
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {7, 100}, {2, 3}, At(0)), milliseconds(8 + 3 * 30));
}

TEST(WaitEstimateTest, TakesTheBatchSizeThatWasFastestPerImage) {
  WaitEstimate estimate(1, 1, 32);
  Measure(estimate, 0, 1, 3);
  Measure(estimate, 0, 32, 2);
  EXPECT_EQ(estimate.PerImage(0, 1, At(0)), milliseconds(2));
  EXPECT_EQ(estimate.PerImage(0, 32, At(0)), milliseconds(2));
}

TEST(WaitEstimateTest, WhenALoadBeginsLargerBatchesAreTakenToBeFaster) {
  WaitEstimate estimate(1, 1, 32);
  Measure(estimate, 0, 1, 4);
  EXPECT_EQ(estimate.PerImage(0, 1, At(0)), milliseconds(4));
  EXPECT_EQ(estimate.PerImage(0, 32, At(0)), milliseconds(2));
  EXPECT_EQ(estimate.PerImage(0, 1000, At(0)), milliseconds(2));
}

TEST(WaitEstimateTest, FollowsAChangeWithinAFewBatches) {
  WaitEstimate estimate(1, 1, 8);
  Measure(estimate, 0, 8, 1);
  size_t batches = 0;
  while (estimate.PerImage(0, 8, At(0)) != milliseconds(5)) {
    estimate.Ran(0, 8, milliseconds(40), At(0));
    ASSERT_LE(++batches, WaitEstimate::kSamples);
  }
  EXPECT_GT(batches, 2u) << "one slow batch is no change";
}

TEST(WaitEstimateTest, ForgetsWhatIsOld) {
  WaitEstimate estimate(1, 1, 8);
  Measure(estimate, 0, 8, 1000, 0);
  const int64_t fresh = std::chrono::milliseconds(WaitEstimate::kFresh).count();
  EXPECT_EQ(estimate.PerImage(0, 8, At(fresh)), milliseconds(1000));
  EXPECT_EQ(estimate.PerImage(0, 8, At(fresh + 1)), nanoseconds::zero());
  // And does not mix it with what is new.
  for (size_t i = 0; i < WaitEstimate::kMinSamples; ++i)
    estimate.Ran(0, 8, milliseconds(8), At(fresh + 1));
  EXPECT_EQ(estimate.PerImage(0, 8, At(fresh + 1)), milliseconds(1));
}

TEST(WaitEstimateTest, ValuesOutOfRangeAreTakenAtTheNearestEnd) {
  WaitEstimate estimate(1, 0, 0);
  estimate.Ran(0, 0, milliseconds(1), At(0));
  estimate.Ran(7, 1, milliseconds(1), At(0));
  Measure(estimate, 0, 1 << 20, 1);
  EXPECT_EQ(estimate.UntilAnswered(0, 1, {9}, {1}, At(0)), milliseconds(10));
}

}  // namespace
}  // namespace bitplex
