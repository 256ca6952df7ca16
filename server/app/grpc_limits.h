// What gRPC itself may hold and for how long: connections, streams, buffers, headers.
#pragma once

#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstddef>

namespace bitplex {

struct GrpcLimits {
  // Calls of one connection at the same time; a client's gRPC lets more wait on its own side.
  // Raising it lets one connection hold more. Default 1024: a proxy brings many clients over one
  // connection.
  int max_connection_calls = 1024;
  // Bytes that gRPC's transport may buffer over all connections, mostly messages that have come in
  // part. Beyond, it slows its readers down and closes what is idle. 0: no bound.
  size_t max_buffer_bytes = 0;
  // Of one message. What is larger ends its call with RESOURCE_EXHAUSTED before it has come.
  size_t max_message_bytes = size_t{64} << 20;
  // Of one call's headers. Tokens have 4 KiB at most.
  int max_metadata_bytes = 16 << 10;
  // From accepting a connection until TLS is agreed on and HTTP/2 has begun.
  std::chrono::milliseconds handshake_timeout{10'000};
  // A connection on which nothing came for this long is asked for a sign of life,
  std::chrono::milliseconds keepalive_time{30'000};
  // and closed if none comes in this time: its peer has gone without a word.
  std::chrono::milliseconds keepalive_timeout{10'000};
  // A connection without a call for this long is closed; clients open another when they need it.
  std::chrono::milliseconds max_connection_idle{15 * 60'000};
  // Clients may ask for signs of life this often, with or without calls;
  std::chrono::milliseconds min_ping_interval{5'000};
  // who asks more often, and does so again this many times, loses the connection.
  int max_ping_strikes = 2;
};

// Sets them all on `builder`.
void ApplyGrpcLimits(const GrpcLimits& limits, grpc::ServerBuilder& builder);

}  // namespace bitplex
