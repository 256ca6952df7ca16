#include "server/admission/admission_controller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/admission/refusal.h"

namespace bitplex {
namespace {

// Weight of the newest ticket in the smoothed time: what 16 tickets ago was counts a third.
constexpr int64_t kSmoothing = 16;

}  // namespace

using Ticket = AdmissionController::Ticket;

Ticket::Ticket(Ticket&& other) noexcept
    : controller_(std::exchange(other.controller_, nullptr)),
      client_(std::move(other.client_)),
      bytes_(other.bytes_),
      admitted_(other.admitted_) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  Release();
  controller_ = std::exchange(other.controller_, nullptr);
  client_ = std::move(other.client_);
  bytes_ = other.bytes_;
  admitted_ = other.admitted_;
  return *this;
}

void Ticket::Shrink(size_t bytes) {
  if (controller_ == nullptr || bytes >= bytes_) return;
  controller_->Shrink(bytes_ - bytes);
  bytes_ = bytes;
}

void Ticket::Release() {
  if (controller_ != nullptr) std::exchange(controller_, nullptr)->GiveBack(*this);
}

AdmissionController::AdmissionController(const AdmissionLimits& limits, Clock clock)
    : limits_(limits), clock_(std::move(clock)) {}

absl::StatusOr<Ticket> AdmissionController::Admit(std::string_view client, size_t bytes) {
  Ticket ticket;
  ticket.bytes_ = bytes;
  ticket.admitted_ = clock_();
  const bool count_clients = limits_.max_client_inflight > 0;
  if (count_clients) ticket.client_ = client;
  const std::lock_guard lock(mutex_);
  if (requests_ > 0 &&
      (bytes_ > limits_.max_inflight_bytes || bytes > limits_.max_inflight_bytes - bytes_)) {
    return Refuse(absl::ResourceExhaustedError(
                      absl::StrCat("requests in flight hold ", bytes_, " bytes, and with the ",
                                   bytes, " of this one more than ", limits_.max_inflight_bytes,
                                   "; retry later, or raise --max-inflight-mib")),
                  {RefusalReason::kInflightBytes, RetryDelayFrom(held_)});
  }
  if (count_clients) {
    size_t& own = by_client_[ticket.client_];
    if (own >= limits_.max_client_inflight) {
      return Refuse(absl::ResourceExhaustedError(absl::StrCat(
                        "this client has ", own,
                        " requests in flight, as many as one may; read answers and retry later, or "
                        "raise --max-client-inflight")),
                    {RefusalReason::kClientInflight, RetryDelayFrom(held_)});
    }
    ++own;
  }
  ++requests_;
  bytes_ += bytes;
  ticket.controller_ = this;
  return ticket;
}

void AdmissionController::Shrink(size_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_ -= bytes;
}

void AdmissionController::GiveBack(const Ticket& ticket) {
  const std::chrono::nanoseconds held = clock_() - ticket.admitted_;
  const std::lock_guard lock(mutex_);
  held_ = held_ == held_.zero() ? held : held_ + (held - held_) / kSmoothing;
  --requests_;
  bytes_ -= ticket.bytes_;
  if (limits_.max_client_inflight == 0) return;
  const auto own = by_client_.find(ticket.client_);
  if (--own->second == 0) by_client_.erase(own);
}

AdmissionController::Counts AdmissionController::counts() const {
  const std::lock_guard lock(mutex_);
  return {requests_, bytes_, by_client_.size()};
}

}  // namespace bitplex
