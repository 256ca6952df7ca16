#include "server/security/authorizer.h"

#include <algorithm>
#include <mutex>

#include "absl/strings/match.h"

namespace bitplex {
namespace {

constexpr std::string_view kOpenService = "/grpc.health.v1.Health/";
constexpr absl::string_view kScheme = "Bearer ";

bool IsOpen(std::string_view method) { return method.starts_with(kOpenService); }

}  // namespace

void Authorizer::Replace(TokenSet tokens) {
  auto replacement = std::make_shared<const TokenSet>(std::move(tokens));
  const std::lock_guard lock(mutex_);
  tokens_.swap(replacement);
}

std::shared_ptr<const TokenSet> Authorizer::tokens() const {
  const std::shared_lock lock(mutex_);
  return tokens_;
}

absl::Status Authorizer::Check(std::string_view method,
                               absl::Span<const std::string_view> authorization) const {
  if (IsOpen(method)) return absl::OkStatus();
  const char* fault = nullptr;
  if (authorization.empty()) {
    fault =
        "this server needs a token: send the metadata 'authorization: Bearer TOKEN' "
        "(bitplex-client: --token-file FILE)";
  } else if (authorization.size() > 1) {
    fault = "the metadata 'authorization' came more than once; send one 'Bearer TOKEN'";
  } else {
    const std::string_view value = authorization.front();
    const absl::string_view scheme(value.data(), std::min(value.size(), kScheme.size()));
    // The scheme's case does not matter, by RFC 7235.
    if (!absl::EqualsIgnoreCase(scheme, kScheme)) {
      fault = "the metadata 'authorization' is not of the form 'Bearer TOKEN'";
    } else if (!tokens()->Contains(value.substr(kScheme.size()))) {
      fault =
          "this server does not know the Bearer token: it is mistyped or withdrawn; "
          "ask the server's operator for a current one";
    }
  }
  if (fault == nullptr) return absl::OkStatus();
  ++refusals_;
  return absl::UnauthenticatedError(fault);
}

}  // namespace bitplex
