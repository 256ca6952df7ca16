#include "client/connection.h"

#include <grpcpp/support/channel_arguments.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/image_files.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace bitplex {
namespace {

// Beside the image, a message holds names, or (the other way) labels and logits.
constexpr int kMaxMessageBytes = static_cast<int>(kMaxImageBytes) + (1 << 20);
constexpr auto kMaxConnectTime = std::chrono::milliseconds(10000);

// A full queue is a matter of moments, so single requests try again; five attempts are the most
// that gRPC makes.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [{"service": "bitplex.v1.Classifier", "method": "Classify"}],
  "retryPolicy": {
    "maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3,
    "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]})";

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetServiceConfigJSON(kServiceConfig);
  // gRPC repeats only what it has buffered, 256 KiB unless told: smaller than many photographs.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kMaxMessageBytes);
  // A web proxy in the environment must not come between this client and a server next to it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

absl::Status NoServer(const ConnectionOptions& options, const std::string& fault) {
  return absl::UnavailableError(absl::StrCat(
      fault, " at ", options.server, "; is bitplex-server running there? --server HOST:PORT ",
      "or $BITPLEX_SERVER names another address. ",
      options.security.uses_tls()
          ? "Its certificate must name this address, and --tls-ca who signed it. If it asks for a "
            "certificate, give --tls-cert and --tls-key; if it has no TLS, leave --tls-ca out"
          : "A server with TLS needs --tls-ca"));
}

// Of a google.rpc.RetryInfo in a status's details; 0 when there is none.
int64_t RetryDelayMs(const std::string& details) {
  google::rpc::Status status;
  if (!status.ParseFromString(details)) return 0;
  for (const google::protobuf::Any& detail : status.details()) {
    google::rpc::RetryInfo retry;
    if (!detail.UnpackTo(&retry)) continue;
    // Protobuf's durations have no more seconds than this.
    const int64_t seconds = std::clamp<int64_t>(retry.retry_delay().seconds(), 0, 315'576'000'000);
    return seconds * 1000 + retry.retry_delay().nanos() / 1'000'000;
  }
  return 0;
}

std::string WithDelay(const std::string& message, int64_t delay_ms) {
  if (delay_ms <= 0) return message;
  return absl::StrCat(message, " (the server suggests to retry in ", delay_ms, " ms)");
}

template <class Response, class Request, class Method>
absl::StatusOr<Response> Call(v1::Classifier::Stub& stub, Method method,
                              std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  Response response;
  const grpc::Status status = (stub.*method)(&context, Request(), &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const ConnectionOptions& options) {
  const auto made = MakeChannel(options.server, options.security, Arguments());
  if (!made.ok()) return made.status();
  const std::shared_ptr<grpc::Channel>& channel = *made;
  const auto deadline =
      std::chrono::system_clock::now() + std::min(options.request_timeout, kMaxConnectTime);
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
      return NoServer(options, "cannot connect to a server");
    }
    if (!channel->WaitForStateChange(state, deadline)) {
      return NoServer(options, "no server answers in time");
    }
    state = channel->GetState(/*try_to_connect=*/true);
  }
  return channel;
}

absl::StatusOr<std::unique_ptr<v1::Classifier::Stub>> Connect(const ConnectionOptions& options) {
  const auto channel = OpenChannel(options);
  if (!channel.ok()) return channel.status();
  return v1::Classifier::NewStub(*channel);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.error_code() == grpc::UNIMPLEMENTED && status.error_message().empty()) {
    return absl::UnimplementedError(
        "the server has no such call at this address; --server must name its --listen, not its "
        "--admin-listen");
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      WithDelay(status.error_message(), RetryDelayMs(status.error_details())));
}

absl::Status FromError(const v1::Error& error) {
  const std::string message = WithDelay(error.message(), error.retry_delay_ms());
  // Codes that absl does not know become UNKNOWN by its own rule; OK would hide the error.
  if (error.code() == 0) return absl::UnknownError(message);
  return absl::Status(static_cast<absl::StatusCode>(error.code()), message);
}

absl::StatusOr<v1::ListTasksResponse> ListTasks(v1::Classifier::Stub& stub,
                                                std::chrono::milliseconds timeout) {
  return Call<v1::ListTasksResponse, v1::ListTasksRequest>(stub, &v1::Classifier::Stub::ListTasks,
                                                           timeout);
}

absl::StatusOr<v1::GetMemoryResponse> GetMemory(v1::Classifier::Stub& stub,
                                                std::chrono::milliseconds timeout) {
  return Call<v1::GetMemoryResponse, v1::GetMemoryRequest>(stub, &v1::Classifier::Stub::GetMemory,
                                                           timeout);
}

}  // namespace bitplex
