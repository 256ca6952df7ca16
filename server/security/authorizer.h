// Who may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/security/token_set.h"

namespace bitplex {

// Decides call by call, before anything of the call but its metadata is read. Thread-safe.
class Authorizer {
 public:
  explicit Authorizer(TokenSet tokens)
      : tokens_(std::make_shared<const TokenSet>(std::move(tokens))) {}

  // Calls under way are not asked again.
  void Replace(TokenSet tokens);

  // `method` is the call's path, such as /grpc.health.v1.Health/Check; `authorization` are the
  // values of its metadata of that name. UNAUTHENTICATED says what is missing. Health checks need
  // no token.
  absl::Status Check(std::string_view method,
                     absl::Span<const std::string_view> authorization) const;

  // Calls refused since the last time that this was asked.
  uint64_t TakeRefusals() { return refusals_.exchange(0); }

 private:
  std::shared_ptr<const TokenSet> tokens() const;

  mutable std::shared_mutex mutex_;
  std::shared_ptr<const TokenSet> tokens_;  // Guarded by mutex_.
  mutable std::atomic<uint64_t> refusals_{0};
};

}  // namespace bitplex
