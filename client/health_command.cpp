#include "client/health_command.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "client/output.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace bitplex {
namespace {

namespace health = grpc::health::v1;

absl::Status CallFailed(const grpc::Status& status, const std::string& task) {
  if (status.error_code() != grpc::NOT_FOUND || task.empty()) return FromGrpc(status);
  return absl::NotFoundError("no task '" + task +
                             "' is served; 'bitplex-client tasks' lists those that are");
}

}  // namespace

int RunHealth(const ConnectionOptions& connection, const std::string& task, bool json,
              std::ostream& out, std::ostream& err) {
  const auto channel = OpenChannel(connection);
  if (!channel.ok()) return Fail(err, channel.status());
  const auto stub = health::Health::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + connection.request_timeout);
  health::HealthCheckRequest request;
  request.set_service(task);
  health::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, request, &response);
  if (!status.ok()) return Fail(err, CallFailed(status, task));
  const std::string name = health::HealthCheckResponse::ServingStatus_Name(response.status());
  if (json) {
    PrintJson(out, {{"status", name}});
  } else {
    out << (name.empty() ? "UNKNOWN" : name) << '\n';
  }
  return response.status() == health::HealthCheckResponse::SERVING ? kExitOk : kExitFailed;
}

}  // namespace bitplex
