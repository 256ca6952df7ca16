#include "server/admission/admission_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/admission/refusal.h"

namespace bitplex {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using Ticket = AdmissionController::Ticket;

class AdmissionTest : public ::testing::Test {
 protected:
  static constexpr AdmissionLimits kLimits{.max_inflight_bytes = 100, .max_client_inflight = 3};

  // "" when admitted, or why not.
  std::string Admit(std::string_view client, size_t bytes) {
    absl::StatusOr<Ticket> ticket = controller_.Admit(client, bytes);
    if (ticket.ok()) {
      tickets_.push_back(*std::move(ticket));
      return "";
    }
    EXPECT_EQ(ticket.status().code(), absl::StatusCode::kResourceExhausted);
    const std::optional<Refusal> refusal = FindRefusal(ticket.status());
    if (!refusal) return "no refusal attached";
    delay_ = refusal->retry_delay;
    return kRefusalNames[static_cast<size_t>(refusal->reason)];
  }

  AdmissionController::TimePoint now_;
  AdmissionController controller_{kLimits, [this] { return now_; }};
  std::vector<Ticket> tickets_;
  milliseconds delay_{0};
};

TEST_F(AdmissionTest, BytesAreBoundedOverAllClients) {
  EXPECT_EQ(Admit("a", 60), "");
  EXPECT_EQ(Admit("b", 41), "inflight_bytes");
  EXPECT_EQ(Admit("b", 40), "");
  EXPECT_EQ(controller_.counts().bytes, 100u);
  EXPECT_EQ(Admit("c", 1), "inflight_bytes");
  tickets_.clear();
  EXPECT_EQ(Admit("c", 100), "");
}

TEST_F(AdmissionTest, NoSumOverflows) {
  EXPECT_EQ(Admit("a", 60), "");
  EXPECT_EQ(Admit("b", SIZE_MAX), "inflight_bytes");
  EXPECT_EQ(Admit("b", SIZE_MAX - 59), "inflight_bytes");
}

TEST_F(AdmissionTest, OneRequestAloneIsAdmittedWhateverItHolds) {
  EXPECT_EQ(Admit("a", 1000), "");
  EXPECT_EQ(Admit("b", 0), "inflight_bytes");
  tickets_.clear();
  EXPECT_EQ(Admit("b", 1000), "");
}

TEST_F(AdmissionTest, EachClientHasItsOwnBound) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("a", 1), "");
  EXPECT_EQ(Admit("a", 1), "client_inflight");
  EXPECT_EQ(Admit("b", 1), "");
  EXPECT_EQ(controller_.counts().clients, 2u);
  tickets_.erase(tickets_.begin());
  EXPECT_EQ(Admit("a", 1), "");
}

TEST_F(AdmissionTest, ARefusedRequestHoldsNothing) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Admit("a", 1), "");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Admit("a", 1), "client_inflight");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Admit("b", 1000), "inflight_bytes");
  const AdmissionController::Counts counts = controller_.counts();
  EXPECT_EQ(counts.requests, 3u);
  EXPECT_EQ(counts.bytes, 3u);
  EXPECT_EQ(counts.clients, 1u);
}

TEST_F(AdmissionTest, TicketsGiveBackOnceWhereverTheyAreMoved) {
  EXPECT_EQ(Admit("a", 10), "");
  EXPECT_EQ(Admit("b", 20), "");
  Ticket first = std::move(tickets_[0]);
  Ticket second = std::move(tickets_[1]);
  tickets_.clear();
  EXPECT_EQ(controller_.counts().bytes, 30u);
  second = std::move(first);
  EXPECT_EQ(controller_.counts().bytes, 10u) << "what it held is given back";
  EXPECT_EQ(controller_.counts().clients, 1u);
  second = Ticket();
  EXPECT_EQ(controller_.counts().requests, 0u);
  EXPECT_EQ(controller_.counts().bytes, 0u);
  EXPECT_EQ(controller_.counts().clients, 0u);
}

TEST_F(AdmissionTest, AShrunkTicketGivesBackTheRest) {
  EXPECT_EQ(Admit("a", 90), "");
  tickets_[0].Shrink(95);
  EXPECT_EQ(controller_.counts().bytes, 90u) << "it never grows";
  tickets_[0].Shrink(5);
  EXPECT_EQ(controller_.counts().bytes, 5u);
  tickets_.clear();
  EXPECT_EQ(controller_.counts().bytes, 0u);
  Ticket none;
  none.Shrink(0);
}

TEST_F(AdmissionTest, TheDelayIsHowLongTicketsAreHeld) {
  EXPECT_EQ(Admit("a", 100), "");
  EXPECT_EQ(Admit("a", 1), "inflight_bytes");
  EXPECT_EQ(delay_, kUnknownRetryDelay);
  now_ += milliseconds(250);
  tickets_.clear();
  EXPECT_EQ(Admit("a", 100), "");
  EXPECT_EQ(Admit("a", 1), "inflight_bytes");
  EXPECT_EQ(delay_, milliseconds(250));
  // Follows what changes, and stays within bounds.
  for (int i = 0; i < 200; ++i) {
    now_ += milliseconds(1);
    tickets_.clear();
    EXPECT_EQ(Admit("a", 100), "");
  }
  EXPECT_EQ(Admit("a", 1), "inflight_bytes");
  EXPECT_EQ(delay_, kMinRetryDelay);
  for (int i = 0; i < 200; ++i) {
    now_ += std::chrono::hours(1);
    tickets_.clear();
    EXPECT_EQ(Admit("a", 100), "");
  }
  EXPECT_EQ(Admit("a", 1), "inflight_bytes");
  EXPECT_EQ(delay_, kMaxRetryDelay);
}

TEST(AdmissionControllerTest, WithoutALimitClientsAreNotCounted) {
  AdmissionController controller({.max_client_inflight = 0});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 5000; ++i) tickets.push_back(*controller.Admit("a", 1));
  EXPECT_EQ(controller.counts().requests, 5000u);
  EXPECT_EQ(controller.counts().clients, 0u);
}

TEST(AdmissionControllerTest, ManyThreadsNeverExceedALimitAndGiveAllBack) {
  constexpr size_t kThreads = 8, kRounds = 5000;
  AdmissionController controller({.max_inflight_bytes = 1000, .max_client_inflight = 2});
  std::atomic<int> faults{0};
  std::atomic<size_t> admitted{0};
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::vector<Ticket> held;
        for (size_t i = 0; i < kRounds; ++i) {
          absl::StatusOr<Ticket> ticket =
              controller.Admit(absl::StrCat("client", t % 3), 1 + (t * i) % 300);
          if (ticket.ok()) {
            ++admitted;
            held.push_back(*std::move(ticket));
          }
          const AdmissionController::Counts counts = controller.counts();
          faults += counts.bytes > 1000 || counts.requests > 6 || counts.clients > 3;
          if (i % 3 == 0) held.clear();
        }
      });
    }
  }
  EXPECT_EQ(faults, 0);
  EXPECT_GT(admitted, kRounds);
  const AdmissionController::Counts counts = controller.counts();
  EXPECT_EQ(counts.requests + counts.bytes + counts.clients, 0u);
}

TEST(RefusalTest, TravelsInAStatus) {
  EXPECT_FALSE(FindRefusal(absl::OkStatus()));
  EXPECT_FALSE(FindRefusal(absl::ResourceExhaustedError("plain")));
  const absl::Status status = Refuse(absl::ResourceExhaustedError("full"),
                                     {RefusalReason::kClientInflight, milliseconds(1234)});
  const absl::Status prefixed = Prefixed(status, "image 3: ");
  EXPECT_EQ(prefixed.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(prefixed.message(), "image 3: full");
  for (const absl::Status& one : {status, prefixed}) {
    const std::optional<Refusal> refusal = FindRefusal(one);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->reason, RefusalReason::kClientInflight);
    EXPECT_EQ(refusal->retry_delay, milliseconds(1234));
  }
}

TEST(RefusalTest, DelaysAreWithinBoundsAndRoundedUp) {
  EXPECT_EQ(RetryDelayFrom(milliseconds(0)), kUnknownRetryDelay);
  EXPECT_EQ(RetryDelayFrom(milliseconds(-5)), kUnknownRetryDelay);
  EXPECT_EQ(RetryDelayFrom(std::chrono::nanoseconds(1)), kMinRetryDelay);
  EXPECT_EQ(RetryDelayFrom(std::chrono::microseconds(41'001)), milliseconds(42));
  EXPECT_EQ(RetryDelayFrom(std::chrono::hours(2)), kMaxRetryDelay);
}

}  // namespace
}  // namespace bitplex
