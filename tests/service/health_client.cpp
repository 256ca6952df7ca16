#include "tests/service/health_client.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitplex::test {

// Debian has no health.proto. Its messages have one field each: a string, and an enum below 128.
HealthAnswer CheckHealth(const Server& server, const std::string& service) {
  grpc::GenericStub stub(grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                                             grpc::InsecureChannelCredentials()));
  std::string message;
  if (!service.empty()) {
    message = absl::StrCat("\x0A", std::string(1, static_cast<char>(service.size())), service);
  }
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (status.error_code() == grpc::NOT_FOUND) return HealthAnswer::kUnknownService;
  std::vector<grpc::Slice> slices;
  if (!status.ok() || !response.Dump(&slices).ok()) {
    std::fprintf(stderr, "health check: %s\n", status.error_message().c_str());
    std::abort();
  }
  std::string bytes;
  for (const grpc::Slice& part : slices) bytes.append(part.begin(), part.end());
  return bytes.size() == 2 ? static_cast<HealthAnswer>(bytes[1]) : HealthAnswer::kUnknown;
}

}  // namespace bitplex::test
