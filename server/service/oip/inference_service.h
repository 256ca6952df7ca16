// The Open Inference Protocol's face of the server: each task is a model. OIP.md describes it.
#pragma once

#include <atomic>

#include "inference/grpc_service.grpc.pb.h"
#include "server/service/call_admission.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Thread-safe. `host` and `admission` must outlive the server that this service is registered
// with. No method blocks: answers come from the engines' workers.
class InferenceService : public inference::GRPCInferenceService::CallbackService {
 public:
  InferenceService(ModelHost& host, CallAdmission& admission)
      : host_(host), admission_(admission) {}

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

  // From now on neither the server nor a model is ready, though what comes is still answered.
  void StopServing() { stopped_ = true; }

  // The same, until it is said otherwise.
  void SetReady(bool ready) { ready_ = ready; }

 private:
  ModelHost& host_;
  CallAdmission& admission_;
  bool ready() const { return ready_ && !stopped_; }

  std::atomic<bool> ready_ = true;
  std::atomic<bool> stopped_ = false;
};

}  // namespace bitplex
