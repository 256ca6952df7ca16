// Which request of a stream to send when: a window of open requests, and refused ones again.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace bitplex {

struct SendLimits {
  // Requests without an answer at one time. More keeps a batching server busier and fills its
  // queues further.
  size_t max_in_flight = 64;
  // Longest wait for the answer to one sending.
  std::chrono::milliseconds answer_timeout{30000};
  // How often one request is sent before a full queue is an error. With the pauses below, 12 is
  // about six seconds.
  size_t max_attempts = 12;
  // Pause before sending a refused request again; it doubles with each refusal, up to the second.
  std::chrono::milliseconds first_backoff{10};
  std::chrono::milliseconds max_backoff{1000};
};

// Requests are numbers from 0 to count - 1. A refusal shrinks the window to what the server has
// accepted, and nothing new is sent before the refused are: otherwise new requests would take the
// places that the refused wait for. Answers widen it again, slowly. Time is a parameter.
// Not thread-safe.
class SendPlan {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  SendPlan(size_t count, const SendLimits& limits);

  // The request to send now, which counts as sent; nothing when there is none.
  std::optional<size_t> Next(TimePoint now);

  // INTERNAL when `index` has no open request: an answer that nobody asked for, or a second one.
  absl::Status Answered(size_t index);

  // Plans another sending, no sooner than the server suggests (a suggestion beyond answer_timeout
  // is cut to it); RESOURCE_EXHAUSTED with `why` after the last attempt.
  absl::Status Refused(size_t index, const std::string& why, TimePoint now,
                       std::chrono::milliseconds suggested = std::chrono::milliseconds::zero());

  // DEADLINE_EXCEEDED when an answer is overdue.
  absl::Status CheckTimeouts(TimePoint now) const;

  // When to look again though nothing has arrived: the next overdue answer or, if `can_send`, the
  // next refused request that may go. TimePoint::max() when nothing is open.
  TimePoint WakeAt(bool can_send) const;

  bool finished() const { return answered_ == count_; }
  size_t answered() const { return answered_; }
  size_t refusals() const { return refusals_; }
  // The lowest request without an answer. Requires !finished().
  size_t FirstUnanswered() const { return open_.empty() ? next_ : open_.begin()->first; }

 private:
  struct Open {
    size_t attempts = 0;
    bool waiting = false;  // For its next sending, at `due`; otherwise for its answer, by `due`.
    TimePoint due;
  };

  absl::Status CheckInFlight(size_t index) const;
  void Send(Open& open, TimePoint now);

  const size_t count_;
  const SendLimits limits_;
  std::map<size_t, Open> open_;  // Sent at least once, not answered.
  size_t waiting_ = 0;           // Of open_.
  size_t next_ = 0;              // The first that was never sent.
  size_t window_;
  size_t answers_at_window_ = 0;
  size_t answered_ = 0;
  size_t refusals_ = 0;
};

}  // namespace bitplex
