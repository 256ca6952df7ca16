// What the server is told on its command line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model_store/view/precision.h"
#include "model_store/view/task_view.h"
#include "server/app/grpc_limits.h"
#include "server/security/security_options.h"
#include "server/service/call_admission.h"
#include "server/serving/engine.h"

namespace bitplex {

struct ServerOptions {
  std::string store;     // A path; or
  std::string separate;  // NAME=CHECKPOINT,...: one plain float32 model per task.
  std::string arch;      // For `separate`; empty: told by the tensors.
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen;  // Empty: no metrics.
  SecurityOptions security;
  Reading reading = Reading::kMask;
  std::string executor = "onednn";
  std::optional<Precision> precision;       // Default: ChoosePrecision.
  std::optional<size_t> view_budget_bytes;  // Default: half of the separate float32 models.
  EngineOptions engine;
  CallAdmissionOptions admission;  // `by_token` is set by the server, with its token file.
  GrpcLimits grpc;                 // Message and buffer sizes too, from images and admission.
  std::chrono::milliseconds drain_timeout{30'000};
  std::string log_level = "info";
};

// The options, or the exit code after --help, --version or a usage error (already printed).
struct ParsedOptions {
  std::optional<ServerOptions> options;
  int exit_code = 0;
};
ParsedOptions ParseServerOptions(int argc, char** argv);

}  // namespace bitplex
