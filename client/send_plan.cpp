#include "client/send_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bitplex {

SendPlan::SendPlan(size_t count, const SendLimits& limits)
    : count_(count), limits_(limits), window_(std::max<size_t>(limits.max_in_flight, 1)) {}

std::optional<size_t> SendPlan::Next(TimePoint now) {
  if (open_.size() - waiting_ >= window_) return std::nullopt;
  if (waiting_ > 0) {
    for (auto& [index, open] : open_) {
      if (!open.waiting || open.due > now) continue;
      --waiting_;
      Send(open, now);
      return index;
    }
    return std::nullopt;
  }
  if (next_ == count_) return std::nullopt;
  Send(open_[next_], now);
  return next_++;
}

void SendPlan::Send(Open& open, TimePoint now) {
  ++open.attempts;
  open.waiting = false;
  open.due = now + limits_.answer_timeout;
}

absl::Status SendPlan::CheckInFlight(size_t index) const {
  const auto it = open_.find(index);
  if (it != open_.end() && !it->second.waiting) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the server sent an answer for image ", index,
                   index < next_ ? " more often than it was sent" : ", which was never sent"));
}

absl::Status SendPlan::Answered(size_t index) {
  if (absl::Status status = CheckInFlight(index); !status.ok()) return status;
  open_.erase(index);
  ++answered_;
  if (++answers_at_window_ >= window_ && window_ < limits_.max_in_flight) {
    ++window_;
    answers_at_window_ = 0;
  }
  return absl::OkStatus();
}

absl::Status SendPlan::Refused(size_t index, const std::string& why, TimePoint now,
                               std::chrono::milliseconds suggested) {
  if (absl::Status status = CheckInFlight(index); !status.ok()) return status;
  ++refusals_;
  Open& open = open_[index];
  if (open.attempts >= limits_.max_attempts) {
    return absl::ResourceExhaustedError(
        absl::StrCat("image ", index, " was refused ", open.attempts, " times, last with: ", why));
  }
  auto pause = limits_.first_backoff;
  for (size_t i = 1; i < open.attempts && pause < limits_.max_backoff; ++i) pause *= 2;
  open.waiting = true;
  open.due = now + std::max(std::min(pause, limits_.max_backoff),
                            std::min(suggested, limits_.answer_timeout));
  ++waiting_;
  window_ = std::max<size_t>(std::min(window_, open_.size() - waiting_), 1);
  answers_at_window_ = 0;
  return absl::OkStatus();
}

absl::Status SendPlan::CheckTimeouts(TimePoint now) const {
  for (const auto& [index, open] : open_) {
    if (open.waiting || open.due > now) continue;
    return absl::DeadlineExceededError(absl::StrCat("image ", index, " was not answered within ",
                                                    limits_.answer_timeout.count(),
                                                    " ms; --timeout-ms sets a longer time"));
  }
  return absl::OkStatus();
}

SendPlan::TimePoint SendPlan::WakeAt(bool can_send) const {
  const bool room = can_send && open_.size() - waiting_ < window_;
  TimePoint wake = TimePoint::max();
  for (const auto& [index, open] : open_) {
    if (room || !open.waiting) wake = std::min(wake, open.due);
  }
  return wake;
}

}  // namespace bitplex
