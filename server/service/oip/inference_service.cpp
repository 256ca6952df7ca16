#include "server/service/oip/inference_service.h"

#include "server/service/convert.h"
#include "server/service/oip/infer_call.h"
#include "server/service/oip/model_metadata.h"
#include "server/service/trace_log.h"

namespace bitplex {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const grpc::Status& status = grpc::Status::OK) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* InferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                       const inference::ServerLiveRequest*,
                                                       inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Finished(context);
}

grpc::ServerUnaryReactor* InferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                        const inference::ServerReadyRequest*,
                                                        inference::ServerReadyResponse* response) {
  response->set_ready(ready());
  return Finished(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                       const inference::ModelReadyRequest* request,
                                                       inference::ModelReadyResponse* response) {
  response->set_ready(
      ready() && oip::FindModel(host_.Current()->set(), request->name(), request->version()).ok());
  return Finished(context);
}

grpc::ServerUnaryReactor* InferenceService::ServerMetadata(
    grpc::CallbackServerContext* context, const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  oip::FillServerMetadata(*response);
  return Finished(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelMetadata(
    grpc::CallbackServerContext* context, const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  const std::shared_ptr<Engine> engine = host_.Current();
  const absl::StatusOr<size_t> task =
      oip::FindModel(engine->set(), request->name(), request->version());
  if (!task.ok()) return Finished(context, ToGrpc(task.status()));
  oip::FillModelMetadata(engine->set().tasks[*task], *response);
  return Finished(context);
}

grpc::ServerUnaryReactor* InferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                       const inference::ModelInferRequest* request,
                                                       inference::ModelInferResponse* response) {
  LogTrace(*context, "ModelInfer", request->model_name());
  return new oip::InferCall(host_.Current(), admission_, *context, *request, *response);
}

}  // namespace bitplex
