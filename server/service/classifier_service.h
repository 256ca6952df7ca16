// The gRPC face of the server.
#pragma once

#include <memory>

#include "bitplex/v1/classifier.grpc.pb.h"
#include "server/service/call_admission.h"
#include "server/service/stream_registry.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Thread-safe. `host` and `admission` must outlive the server that this service is registered
// with. No method blocks: answers come from the engines' workers.
class ClassifierService : public v1::Classifier::CallbackService {
 public:
  ClassifierService(ModelHost& host, CallAdmission& admission)
      : host_(host), admission_(admission) {}

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context,
                                     const v1::ClassifyRequest* request,
                                     v1::ClassifyResponse* response) override;
  grpc::ServerBidiReactor<v1::ClassifyRequest, v1::ClassifyStreamResponse>* ClassifyStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context,
                                      const v1::ListTasksRequest* request,
                                      v1::ListTasksResponse* response) override;
  grpc::ServerUnaryReactor* GetMemory(grpc::CallbackServerContext* context,
                                      const v1::GetMemoryRequest* request,
                                      v1::GetMemoryResponse* response) override;

  // Ends open streams once what they have in flight is answered: a stream has no end of its own to
  // wait for.
  void StopStreams() { streams_.Stop(); }

 private:
  ModelHost& host_;
  CallAdmission& admission_;
  StreamRegistry streams_;
};

}  // namespace bitplex
