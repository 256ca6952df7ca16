// Why load made the server refuse a request, and when to try again: carried inside the
// absl::Status.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"

namespace bitplex {

enum class RefusalReason {
  kInflightBytes,   // All requests together hold too much.
  kClientInflight,  // This client has too many.
  kQueueFull,       // The task has too many that wait.
  kDeadline,        // The task's queue is too long for this request's deadline.
  kExpired,         // The deadline passed in the queue, or before.
  kMemory,          // The system gave none.
};

// By reason, as metrics call them.
inline constexpr std::array kRefusalNames = {"inflight_bytes", "client_inflight", "queue_full",
                                             "deadline",       "expired",         "memory"};

struct Refusal {
  RefusalReason reason = RefusalReason::kQueueFull;
  // What to wait before trying again. 0: no suggestion.
  std::chrono::milliseconds retry_delay{0};
};

// No suggestion is shorter (a client would spin) or longer (an estimate that long is worth little).
inline constexpr std::chrono::milliseconds kMinRetryDelay{10};
inline constexpr std::chrono::milliseconds kMaxRetryDelay{30'000};
// When nothing has been measured yet.
inline constexpr std::chrono::milliseconds kUnknownRetryDelay{100};

// `expected` made a suggestion: rounded up, within the bounds above; 0 means unknown.
std::chrono::milliseconds RetryDelayFrom(std::chrono::nanoseconds expected);

// `status` with `refusal` attached. It must not be OK.
absl::Status Refuse(absl::Status status, Refusal refusal);

// What Refuse attached.
std::optional<Refusal> FindRefusal(const absl::Status& status);

// `status` with `prefix` before its message, and what is attached to it.
absl::Status Prefixed(const absl::Status& status, absl::string_view prefix);

}  // namespace bitplex
