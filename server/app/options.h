// What the server is told on its command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "server/app/grpc_limits.h"
#include "server/lifecycle/engine_factory.h"
#include "server/security/security_options.h"
#include "server/service/call_admission.h"

namespace bitplex {

struct ServerOptions : ModelOptions {
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen;  // Empty: no metrics.
  std::string admin_listen;    // Empty: no administrative calls.
  SecurityOptions security;
  std::string admin_token_file;  // Empty: who reaches admin_listen may call.
  EngineOptions engine;
  CallAdmissionOptions admission;  // `by_token` is set by the server, with its token file.
  GrpcLimits grpc;                 // Message and buffer sizes too, from images and admission.
  bool warm_up = false;            // Before the first request, not with it.
  std::chrono::milliseconds watch_store{0};  // How often to look whether it was replaced. 0: never.
  // From the signal to stop until calls are refused: time for who watches the health to notice.
  std::chrono::milliseconds drain_delay{0};
  std::chrono::milliseconds drain_timeout{30'000};  // After the delay.
  std::string log_level = "info";
};

// The options, or the exit code after --help, --version or a usage error (already printed).
struct ParsedOptions {
  std::optional<ServerOptions> options;
  int exit_code = 0;
};
ParsedOptions ParseServerOptions(int argc, char** argv);

}  // namespace bitplex
