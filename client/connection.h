// The connection to a server, and the translation of gRPC's errors.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitplex/v1/classifier.grpc.pb.h"
#include "client/channel.h"

namespace bitplex {

struct ConnectionOptions {
  std::string server = "127.0.0.1:50051";  // HOST:PORT or unix:PATH.
  ClientSecurity security;
  // Longest time for one request, retries included. Larger values ride out a long queue, but a
  // server that hangs is noticed later.
  std::chrono::milliseconds request_timeout{30000};
};

// Connects, so that a server that is not there is reported at once and not at the end of a
// request's deadline. UNAVAILABLE names the address and the remedy; errors of MakeChannel as they
// are.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ConnectionOptions& options);

// On a channel that OpenChannel opened. Calls of one request that are refused for want of room are
// repeated by gRPC a few times, after the delay that the server suggests; requests in a stream are
// not. The stub is thread-safe and
// keeps the connection alive.
absl::StatusOr<std::unique_ptr<v1::Classifier::Stub>> Connect(const ConnectionOptions& options);

// Both name the delay after which the server suggests to try again.
absl::Status FromGrpc(const grpc::Status& status);
absl::Status FromError(const v1::Error& error);  // Never OK, whatever the server sent.

absl::StatusOr<v1::ListTasksResponse> ListTasks(v1::Classifier::Stub& stub,
                                                std::chrono::milliseconds timeout);
absl::StatusOr<v1::GetMemoryResponse> GetMemory(v1::Classifier::Stub& stub,
                                                std::chrono::milliseconds timeout);

}  // namespace bitplex
