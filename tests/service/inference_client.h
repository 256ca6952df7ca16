// Calls of the Open Inference Protocol to a server of the test.
#pragma once

#include <memory>
#include <string>

#include "inference/grpc_service.grpc.pb.h"
#include "server/app/server.h"

namespace bitplex::test {

std::unique_ptr<inference::GRPCInferenceService::Stub> ConnectInference(int port);
inline auto ConnectInference(const Server& server) { return ConnectInference(server.port()); }

grpc::Status InferStatus(const Server& server, const inference::ModelInferRequest& request,
                         inference::ModelInferResponse* response);

// Both abort the program when the call itself fails.
bool ServerIsReady(int port);
bool ModelIsReady(int port, const std::string& name, const std::string& version);

inline bool ServerIsReady(const Server& server) { return ServerIsReady(server.port()); }
inline bool ModelIsReady(const Server& server, const std::string& name,
                         const std::string& version) {
  return ModelIsReady(server.port(), name, version);
}

}  // namespace bitplex::test
