#include "server/app/log.h"

#include <grpc/support/log.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace bitplex {
namespace {

void LogGrpc(gpr_log_func_args* args) {
  // What gRPC calls an error is often a client's; what ends the server is reported by us.
  const auto level =
      args->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::debug : spdlog::level::trace;
  spdlog::log(level, "grpc message={}", Quoted(args->message));
}

}  // namespace

void SetUpLog(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("bitplex");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(LogGrpc);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace bitplex
