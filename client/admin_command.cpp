#include "client/admin_command.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_format.h"
#include "bitplex/v1/admin.grpc.pb.h"
#include "client/message_json.h"
#include "client/output.h"
#include "client/text.h"

namespace bitplex {
namespace {

using Stub = v1::Admin::Stub;

template <class Response, class Request>
absl::StatusOr<Response> Call(const ConnectionOptions& connection, const Request& request,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*)) {
  const auto channel = OpenChannel(connection);
  if (!channel.ok()) return channel.status();
  Stub stub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + connection.request_timeout);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (status.error_code() == grpc::UNIMPLEMENTED) {
    return absl::UnimplementedError(
        "this is not the server's address for administrative calls; --server must name its "
        "--admin-listen");
  }
  if (!status.ok()) return FromGrpc(status);
  return response;
}

}  // namespace

int RunReload(const ConnectionOptions& connection, bool json, std::ostream& out,
              std::ostream& err) {
  const auto response = Call<v1::ReloadResponse, v1::ReloadRequest>(connection, {}, &Stub::Reload);
  if (!response.ok()) return Fail(err, response.status());
  if (json) {
    PrintJson(out, ToJson(*response));
    return kExitOk;
  }
  if (!response->changed()) {
    out << "Nothing new: store version " << Printable(response->version()) << " is served.\n";
    return kExitOk;
  }
  if (response->version().empty()) {
    out << "The models are served as their files hold them now.\n";
  } else {
    out << "Store version " << Printable(response->version()) << " is served, before it "
        << Printable(response->previous_version()) << ".\n";
  }
  for (const std::string& task : response->added()) out << "New task: " << Printable(task) << '\n';
  for (const std::string& task : response->removed()) {
    out << "No longer served: " << Printable(task) << '\n';
  }
  return kExitOk;
}

int RunEvict(const ConnectionOptions& connection, const std::string& task, bool json,
             std::ostream& out, std::ostream& err) {
  v1::EvictRequest request;
  request.set_task(task);
  const auto response =
      Call<v1::EvictResponse, v1::EvictRequest>(connection, request, &Stub::Evict);
  if (!response.ok()) return Fail(err, response.status());
  if (json) {
    PrintJson(out, ToJson(*response));
  } else {
    out << absl::StrFormat("%.2f MB were given back.\n",
                           static_cast<double>(response->freed_bytes()) / 1e6);
  }
  return kExitOk;
}

}  // namespace bitplex
