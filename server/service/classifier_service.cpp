#include "server/service/classifier_service.h"

#include <atomic>

#include "server/service/classify_stream.h"
#include "server/service/convert.h"
#include "server/service/request_record.h"
#include "server/service/trace_log.h"

namespace bitplex {
namespace {

// A unary call that a worker answers later. Deletes itself when the call is over.
class ClassifyReactor final : public grpc::ServerUnaryReactor {
 public:
  ClassifyReactor(std::shared_ptr<Engine> engine, CallAdmission& admission,
                  grpc::CallbackServerContext& call, const v1::ClassifyRequest& request,
                  v1::ClassifyResponse& response)
      : engine_(std::move(engine)),
        admission_(admission),
        call_(call),
        request_(request),
        record_(engine_) {
    absl::StatusOr<AdmissionController::Ticket> ticket =
        admission.Admit(admission.ClientOf(call), request.ByteSizeLong());
    if (!ticket.ok()) {
      Answer(ticket.status());
      return;
    }
    ticket_ = *std::move(ticket);
    absl::StatusOr<ClassifyInput> input = ToInput(request, engine_->set());
    if (!input.ok()) {
      Answer(input.status());
      return;
    }
    const Servable& task = engine_->set().tasks[input->task];
    input->deadline = ToTimePoint(call.deadline());
    input->cancelled = cancelled_;
    input->done = [this, &task, &response](absl::StatusOr<Classification> result) {
      if (result.ok()) FillResponse(task, request_.id(), *result, response);
      Answer(result.status());
    };
    // The worker may answer, and the call be over, before Submit returns: nothing of `this` is used
    // after it has taken the job.
    if (absl::Status status = engine_->Submit(*std::move(input)); !status.ok()) Answer(status);
  }

  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override {
    admission_.watch().End(call_);
    delete this;
  }

 private:
  void Answer(const absl::Status& status) {
    record_.Answered(request_.task(), status);
    admission_.watch().Begin(call_);
    Finish(ToGrpc(status, call_));
  }

  const std::shared_ptr<Engine> engine_;
  CallAdmission& admission_;
  grpc::CallbackServerContext& call_;
  AdmissionController::Ticket ticket_;
  const v1::ClassifyRequest& request_;
  const RequestRecord record_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* ClassifierService::Classify(grpc::CallbackServerContext* context,
                                                      const v1::ClassifyRequest* request,
                                                      v1::ClassifyResponse* response) {
  LogTrace(*context, "Classify", request->task());
  return new ClassifyReactor(host_.Current(), admission_, *context, *request, *response);
}

grpc::ServerBidiReactor<v1::ClassifyRequest, v1::ClassifyStreamResponse>*
ClassifierService::ClassifyStream(grpc::CallbackServerContext* context) {
  LogTrace(*context, "ClassifyStream", "");
  return new ClassifyStreamReactor(host_, admission_, *context, streams_);
}

grpc::ServerUnaryReactor* ClassifierService::ListTasks(grpc::CallbackServerContext* context,
                                                       const v1::ListTasksRequest*,
                                                       v1::ListTasksResponse* response) {
  FillTasks(host_.Current()->set(), *response);
  return Finished(context);
}

grpc::ServerUnaryReactor* ClassifierService::GetMemory(grpc::CallbackServerContext* context,
                                                       const v1::GetMemoryRequest*,
                                                       v1::GetMemoryResponse* response) {
  FillMemory(host_.Current()->Memory(), *response);
  return Finished(context);
}

}  // namespace bitplex
