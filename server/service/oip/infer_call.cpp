#include "server/service/oip/infer_call.h"

#include <algorithm>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/admission/refusal.h"
#include "server/service/convert.h"
#include "server/service/oip/infer_response.h"
#include "server/service/oip/model_metadata.h"

namespace bitplex::oip {

namespace {

// Runs `call`, whose allocations follow from what a client sent.
template <typename Call>
absl::Status WithMemory(const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Refuse(absl::ResourceExhaustedError(
                      "there is no memory for the request; send fewer or smaller images, or later"),
                  {RefusalReason::kMemory, kUnknownRetryDelay});
  }
}

// What a request holds until it is answered: itself, and what ReadInferImages makes of it at most.
size_t BytesOf(const inference::ModelInferRequest& request) {
  const bool files = !request.inputs().empty() && request.inputs(0).datatype() == "BYTES";
  return request.ByteSizeLong() * (files ? 1 : 3);
}

}  // namespace

InferCall::InferCall(std::shared_ptr<Engine> engine, CallAdmission& admission,
                     grpc::CallbackServerContext& call, const inference::ModelInferRequest& request,
                     inference::ModelInferResponse& response)
    : engine_(std::move(engine)),
      admission_(admission),
      call_(call),
      request_(request),
      response_(response),
      record_(engine_) {
  absl::StatusOr<AdmissionController::Ticket> ticket =
      admission.Admit(admission.ClientOf(call), BytesOf(request));
  if (!ticket.ok()) {
    Answer(ticket.status());
    return;
  }
  ticket_ = *std::move(ticket);
  if (absl::Status status = WithMemory([this] { return Read(); }); !status.ok()) {
    Answer(status);
    return;
  }
  const TimePoint deadline = ToTimePoint(call.deadline());
  waiting_ = input_.images.size();
  // The last answer may come before this returns. gRPC deletes the call only after it has been
  // handed over, so the loop may use it.
  for (size_t i = 0; i < input_.images.size(); ++i) Submit(i, deadline);
}

absl::Status InferCall::Read() {
  if (absl::Status status = CheckId(request_.id()); !status.ok()) return status;
  const absl::StatusOr<size_t> task =
      FindModel(engine_->set(), request_.model_name(), request_.model_version());
  if (!task.ok()) return task.status();
  const Servable& servable = engine_->set().tasks[*task];
  absl::StatusOr<std::vector<WantedOutput>> outputs = ReadWantedOutputs(request_);
  if (!outputs.ok()) return outputs.status();
  absl::StatusOr<InferImages> input = ReadInferImages(request_, *servable.arch);
  if (!input.ok()) return input.status();
  task_ = *task;
  outputs_ = *std::move(outputs);
  input_ = *std::move(input);
  logits_.resize(input_.images.size() * servable.classes());
  return absl::OkStatus();
}

void InferCall::Submit(size_t image, TimePoint deadline) {
  ClassifyInput job;
  job.task = task_;
  job.image = input_.images[image];
  job.logits = true;
  job.deadline = deadline;
  job.cancelled = cancelled_;
  job.done = [this, image](const absl::StatusOr<Classification>& result) { Take(image, result); };
  absl::Status status = *cancelled_ ? absl::CancelledError("the caller has gone")
                                    : WithMemory([&] { return engine_->Submit(std::move(job)); });
  if (!status.ok()) Take(image, std::move(status));
}

void InferCall::Take(size_t image, const absl::StatusOr<Classification>& result) {
  {
    const std::lock_guard lock(mutex_);
    if (result.ok()) {
      std::copy(result->logits.begin(), result->logits.end(),
                logits_.begin() + static_cast<std::ptrdiff_t>(image * result->logits.size()));
    } else if (failure_.ok()) {
      failure_ = Prefixed(result.status(), absl::StrCat("tensor 'image', element ", image, ": "));
      *cancelled_ = true;
    }
    if (--waiting_ > 0) return;
  }
  if (failure_.ok()) {
    failure_ = WithMemory([this] {
      FillInferResponse(engine_->set().tasks[task_], request_.id(), outputs_, logits_,
                        input_.images.size(), response_);
      return absl::OkStatus();
    });
  }
  Answer(failure_);
}

void InferCall::Answer(const absl::Status& status) {
  record_.Answered(request_.model_name(), status);
  admission_.watch().Begin(call_);
  Finish(ToGrpc(status, call_));
}

void InferCall::OnDone() {
  admission_.watch().End(call_);
  delete this;
}

}  // namespace bitplex::oip
