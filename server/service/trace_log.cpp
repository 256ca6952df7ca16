#include "server/service/trace_log.h"

#include <iterator>
#include <optional>

#include "server/app/log.h"
#include "server/service/trace_context.h"

namespace bitplex {
namespace {

constexpr size_t kShownBytes = 64;  // As long as a task's name can be.

}  // namespace

void LogTrace(const grpc::ServerContextBase& context, std::string_view rpc, std::string_view task) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const auto [first, last] = context.client_metadata().equal_range("traceparent");
  if (first == last) return;
  // Of two, neither can be trusted.
  std::optional<TraceContext> trace;
  if (std::next(first) == last) {
    trace = ParseTraceparent({first->second.data(), first->second.size()});
  }
  const std::string name = Quoted(task.substr(0, kShownBytes));
  if (!trace) {
    spdlog::debug("request rpc={} task={} traceparent=malformed", rpc, name);
    return;
  }
  spdlog::debug("request rpc={} task={} trace_id={} parent_id={} sampled={}", rpc, name,
                trace->trace_id, trace->parent_id, trace->sampled);
}

}  // namespace bitplex
