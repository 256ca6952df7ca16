// The trace that a call belongs to, in the log.
#pragma once

#include <grpcpp/server_context.h>

#include <string_view>

namespace bitplex {

// At level debug, one line with the call's trace when its metadata has a `traceparent`. `task` is
// as the client sent it.
void LogTrace(const grpc::ServerContextBase& context, std::string_view rpc, std::string_view task);

}  // namespace bitplex
