#include "tests/service/health_client.h"

#include <grpcpp/create_channel.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace bitplex::test {

HealthAnswer CheckHealth(const Server& server, const std::string& service) {
  const auto stub = grpc::health::v1::Health::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", server.port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, request, &response);
  if (status.error_code() == grpc::NOT_FOUND) return HealthAnswer::kUnknownService;
  if (!status.ok()) {
    std::fprintf(stderr, "health check: %s\n", status.error_message().c_str());
    std::abort();
  }
  return static_cast<HealthAnswer>(response.status());
}

}  // namespace bitplex::test
