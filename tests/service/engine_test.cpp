// The engine with networks that stand still until they are let go, so that queues fill, deadlines
// pass and callers leave at moments that the test chooses.
#include "server/serving/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "absl/synchronization/notification.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

// Another network whose runs are counted, and wait for the gate.
class GatedNetwork final : public Network {
 public:
  GatedNetwork(std::shared_ptr<const Network> real, absl::Notification& gate)
      : real_(std::move(real)), gate_(gate) {}

  Precision precision() const override { return real_->precision(); }
  absl::StatusOr<std::shared_ptr<const PackedWeights>> Pack() const override {
    return real_->Pack();
  }
  size_t packed_bytes() const override { return real_->packed_bytes(); }
  absl::Status Run(const PackedWeights&, absl::Span<const float>, size_t count,
                   absl::Span<float> logits) const override {
    return Wait(count, logits);
  }
  absl::Status RunLayerwise(absl::Span<std::byte>, absl::Span<const float>, size_t count,
                            absl::Span<float> logits) const override {
    return Wait(count, logits);
  }
  size_t scratch_bytes() const override { return real_->scratch_bytes(); }
  absl::Status Observe(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                       const Observer& observe) const override {
    return real_->Observe(weights, images, count, observe);
  }

  mutable std::atomic<size_t> images_run{0};
  mutable std::atomic<bool> running{false};

 private:
  absl::Status Wait(size_t count, absl::Span<float> logits) const {
    images_run += count;
    running.store(true);
    running.notify_all();
    gate_.WaitForNotification();
    std::fill(logits.begin(), logits.end(), 1.0f);
    return absl::OkStatus();
  }

  const std::shared_ptr<const Network> real_;
  absl::Notification& gate_;
};

class EngineTest : public ::testing::Test {
 protected:
  void Start(const EngineOptions& options) {
    auto set = LoadStore(MakeStore("resnet10-tiny", {6, 6}), Reading::kMask);
    ASSERT_TRUE(set.ok()) << set.status();
    ASSERT_EQ(PrepareNetworks(SharedExecutor(), Precision::kFloat32, *set), absl::OkStatus());
    for (Servable& task : set->tasks) {
      auto gated = std::make_shared<const GatedNetwork>(task.network, gate_);
      if (network_ == nullptr) network_ = gated;
      task.network = std::move(gated);
    }
    engine_ =
        std::make_unique<Engine>(std::make_shared<const ServableSet>(*std::move(set)), options, 0);
  }
  ~EngineTest() override {
    if (!gate_.HasBeenNotified()) gate_.Notify();
  }

  using Answer = std::future<absl::StatusOr<Classification>>;
  absl::Status Submit(Answer* answer, size_t task = 0, TimePoint deadline = TimePoint::max(),
                      std::shared_ptr<std::atomic<bool>> cancelled = nullptr) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<Classification>>>();
    *answer = promise->get_future();
    ClassifyInput input;
    input.task = task;
    input.image = {.encoded = false, .bytes = rgb_, .height = 32, .width = 32};
    input.deadline = deadline;
    input.cancelled = cancelled;
    input.done = [promise](absl::StatusOr<Classification> result) {
      promise->set_value(std::move(result));
    };
    return engine_->Submit(std::move(input));
  }
  // Until one job runs and stands at the gate.
  void WaitUntilRunning() { network_->running.wait(false); }

  const std::vector<uint8_t> rgb_ = RandomRgb(32, 32, 1);
  absl::Notification gate_;
  std::shared_ptr<const GatedNetwork> network_;  // Of task 0.
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, AFullQueueRefusesAtOnceAndAnswersTheRest) {
  EngineOptions options;
  options.batcher.batch.queue_capacity = 3;
  Start(options);
  std::vector<Answer> answers(5);
  ASSERT_TRUE(Submit(&answers[0]).ok());
  WaitUntilRunning();
  for (size_t i = 1; i <= 3; ++i) ASSERT_TRUE(Submit(&answers[i]).ok());
  const absl::Status refused = Submit(&answers[4]);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("3"));
  Answer other;
  EXPECT_TRUE(Submit(&other, 1).ok()) << "the other task's queue is its own";
  gate_.Notify();
  for (size_t i = 0; i <= 3; ++i) EXPECT_TRUE(answers[i].get().ok());
  EXPECT_TRUE(other.get().ok());
}

TEST_F(EngineTest, APassedDeadlineIsNotComputed) {
  Start({});
  Answer running, late;
  ASSERT_TRUE(Submit(&running).ok());
  WaitUntilRunning();
  const absl::Status gone =
      Submit(&late, 0, std::chrono::steady_clock::now() - std::chrono::seconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(gone)) << gone;
  ASSERT_TRUE(
      Submit(&late, 0, std::chrono::steady_clock::now() + std::chrono::milliseconds(1)).ok());
  const TimePoint until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
  while (std::chrono::steady_clock::now() < until) {
  }
  gate_.Notify();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late.get().status()));
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(network_->images_run, 1u);
}

TEST_F(EngineTest, ACancelledRequestIsDropped) {
  Start({});
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  Answer running, left;
  ASSERT_TRUE(Submit(&running).ok());
  WaitUntilRunning();
  ASSERT_TRUE(Submit(&left, 0, TimePoint::max(), cancelled).ok());
  *cancelled = true;
  gate_.Notify();
  EXPECT_TRUE(absl::IsCancelled(left.get().status()));
  EXPECT_EQ(network_->images_run, 1u);
}

TEST_F(EngineTest, SixtyFourFirstRequestsMakeOneView) {
  EngineOptions options;
  options.view_budget_bytes = size_t{1} << 30;
  options.batcher.workers = 8;
  options.batcher.batch.max_batch = 1;
  Start(options);
  gate_.Notify();
  std::vector<Answer> answers(64);
  for (Answer& answer : answers) ASSERT_TRUE(Submit(&answer).ok());
  for (Answer& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(engine_->Memory().views.materializations, 1u);
  EXPECT_EQ(network_->images_run, 64u);
}

TEST_F(EngineTest, DrainAnswersWhatWasAdmittedAndTakesNoMore) {
  Start({});
  std::vector<Answer> answers(20);
  for (Answer& answer : answers) ASSERT_TRUE(Submit(&answer).ok());
  WaitUntilRunning();
  gate_.Notify();
  engine_->Drain();
  for (Answer& answer : answers) {
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_TRUE(answer.get().ok());
  }
  Answer refused;
  EXPECT_TRUE(absl::IsUnavailable(Submit(&refused)));
}

TEST_F(EngineTest, WithoutBudgetNoViewIsKeptAndScratchIsOneBuffer) {
  EngineOptions options;
  options.view_budget_bytes = 0;
  options.batcher.workers = 4;
  options.batcher.batch.max_batch = 1;
  Start(options);
  gate_.Notify();
  std::vector<Answer> answers(32);
  for (size_t i = 0; i < answers.size(); ++i) ASSERT_TRUE(Submit(&answers[i], i % 2).ok());
  for (Answer& answer : answers) EXPECT_TRUE(answer.get().ok());
  const MemoryReport report = engine_->Memory();
  EXPECT_EQ(report.view_bytes, 0u);
  EXPECT_EQ(report.views.streamed, 32u);
  EXPECT_EQ(report.scratch_bytes, engine_->set().tasks[0].network->scratch_bytes());
}

}  // namespace
}  // namespace bitplex::test
