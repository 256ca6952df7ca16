#include "server/service/call_admission.h"

#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model_store/util/sha256.h"

namespace bitplex {
namespace {

// A call's arena, metadata, message objects and buffers.
constexpr size_t kCallBytes = 8 << 10;

// The authorizer has seen to it that this much of the header is the scheme, in whatever case.
constexpr size_t kSchemeBytes = std::string_view("Bearer ").size();

constexpr size_t kDigestBytes = 8;  // So that no two of a thousand tokens share it.

}  // namespace

std::string CallAdmission::ClientOf(const grpc::CallbackServerContext& call) const {
  if (by_token_) {
    const auto token = call.client_metadata().find("authorization");
    if (token != call.client_metadata().end() && token->second.size() > kSchemeBytes) {
      const auto digest =
          Sha256({token->second.data() + kSchemeBytes, token->second.size() - kSchemeBytes});
      if (digest.ok()) {
        return absl::StrCat(
            "token:",
            absl::string_view(reinterpret_cast<const char*>(digest->data()), kDigestBytes));
      }
    }
  }
  if (const auto context = call.auth_context(); context != nullptr) {
    const std::vector<grpc::string_ref> names = context->GetPeerIdentity();
    if (!names.empty()) {
      return absl::StrCat("certificate:",
                          absl::string_view(names.front().data(), names.front().size()));
    }
  }
  return WithoutPort(call.peer());
}

absl::StatusOr<AdmissionController::Ticket> CallAdmission::Admit(const std::string& client,
                                                                 size_t bytes) {
  return controller_.Admit(client, bytes + kCallBytes);
}

std::string WithoutPort(const std::string& peer) {
  if (!absl::StartsWith(peer, "ipv4:") && !absl::StartsWith(peer, "ipv6:")) return peer;
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace bitplex
