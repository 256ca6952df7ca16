#include "server/app/grpc_limits.h"

#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <climits>
#include <string>

namespace bitplex {
namespace {

int Milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(std::clamp<int64_t>(time.count(), 1, INT_MAX));
}

}  // namespace

void ApplyGrpcLimits(const GrpcLimits& limits, grpc::ServerBuilder& builder) {
  if (limits.max_buffer_bytes > 0) {
    builder.SetResourceQuota(grpc::ResourceQuota("bitplex").Resize(limits.max_buffer_bytes));
  }
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<size_t>(limits.max_message_bytes, size_t{1} << 30)));
  const auto set = [&](const char* name, int value) { builder.AddChannelArgument(name, value); };
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.max_connection_calls);
  set(GRPC_ARG_MAX_METADATA_SIZE, limits.max_metadata_bytes);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(limits.handshake_timeout));
  set(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(limits.keepalive_time));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(limits.keepalive_timeout));
  // Connections without calls are looked after too, and pings without data never run out.
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(limits.max_connection_idle));
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      Milliseconds(limits.min_ping_interval));
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, limits.max_ping_strikes);
}

}  // namespace bitplex
