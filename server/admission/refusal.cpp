#include "server/admission/refusal.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bitplex {
namespace {

constexpr absl::string_view kPayload = "bitplex/refusal";  // "REASON MILLISECONDS"

}  // namespace

std::chrono::milliseconds RetryDelayFrom(std::chrono::nanoseconds expected) {
  if (expected <= std::chrono::nanoseconds::zero()) return kUnknownRetryDelay;
  return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(expected), kMinRetryDelay,
                    kMaxRetryDelay);
}

absl::Status Refuse(absl::Status status, Refusal refusal) {
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(static_cast<int>(refusal.reason), " ",
                                                      refusal.retry_delay.count())));
  return status;
}

std::optional<Refusal> FindRefusal(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  const std::vector<std::string> parts = absl::StrSplit(std::string(*payload), ' ');
  int reason = 0;
  int64_t delay_ms = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &reason) ||
      !absl::SimpleAtoi(parts[1], &delay_ms)) {
    return std::nullopt;
  }
  return Refusal{static_cast<RefusalReason>(reason), std::chrono::milliseconds(delay_ms)};
}

absl::Status Prefixed(const absl::Status& status, absl::string_view prefix) {
  absl::Status result(status.code(), absl::StrCat(prefix, status.message()));
  status.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { result.SetPayload(type, payload); });
  return result;
}

}  // namespace bitplex
