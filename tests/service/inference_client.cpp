#include "tests/service/inference_client.h"

#include <grpcpp/create_channel.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace bitplex::test {
namespace {

void CheckCall(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error_message().c_str());
  std::abort();
}

}  // namespace

std::unique_ptr<inference::GRPCInferenceService::Stub> ConnectInference(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return inference::GRPCInferenceService::NewStub(grpc::CreateCustomChannel(
      absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials(), arguments));
}

grpc::Status InferStatus(const Server& server, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse* response) {
  grpc::ClientContext context;
  return ConnectInference(server)->ModelInfer(&context, request, response);
}

bool ServerIsReady(int port) {
  grpc::ClientContext context;
  inference::ServerReadyResponse response;
  CheckCall(ConnectInference(port)->ServerReady(&context, {}, &response));
  return response.ready();
}

bool ModelIsReady(int port, const std::string& name, const std::string& version) {
  grpc::ClientContext context;
  inference::ModelReadyRequest request;
  request.set_name(name);
  request.set_version(version);
  inference::ModelReadyResponse response;
  CheckCall(ConnectInference(port)->ModelReady(&context, request, &response));
  return response.ready();
}

}  // namespace bitplex::test
