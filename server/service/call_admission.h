// Admission, as gRPC calls need it: who calls, what a request holds, and that answers are taken.
#pragma once

#include <grpcpp/server_context.h>

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "server/admission/admission_controller.h"
#include "server/service/answer_watch.h"

namespace bitplex {

struct CallAdmissionOptions {
  AdmissionLimits limits;
  // Callers are told apart by their token. Set it only where tokens are checked: anybody can invent
  // one.
  bool by_token = false;
  // How long a client may leave an answer unread before its call is cancelled. Raising it lets
  // clients that stall hold what they hold for longer. Default 30 s.
  std::chrono::milliseconds write_timeout{30'000};
};

// Thread-safe. Must outlive every call.
class CallAdmission {
 public:
  explicit CallAdmission(const CallAdmissionOptions& options)
      : by_token_(options.by_token), controller_(options.limits), watch_(options.write_timeout) {}

  // The caller: its token (64 bits of the digest, never the token), or else its certificate's first
  // name, or else its address without the port.
  std::string ClientOf(const grpc::CallbackServerContext& call) const;

  // A request of `client` that holds `bytes`, and what gRPC keeps for any call. Errors as
  // AdmissionController::Admit.
  absl::StatusOr<AdmissionController::Ticket> Admit(const std::string& client, size_t bytes);

  AnswerWatch& watch() { return watch_; }
  const AdmissionController& controller() const { return controller_; }

 private:
  const bool by_token_;
  AdmissionController controller_;
  AnswerWatch watch_;
};

// "ipv4:127.0.0.1:50051" without ":50051"; what has no port stays as it is.
std::string WithoutPort(const std::string& peer);

}  // namespace bitplex
