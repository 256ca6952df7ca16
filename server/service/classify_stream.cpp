#include "server/service/classify_stream.h"

#include <utility>

#include "server/service/convert.h"
#include "server/service/request_record.h"

namespace bitplex {

// What to start next, decided under the lock and done outside it. After Finish the reactor may be
// gone, so nothing touches it after Take.
struct ClassifyStreamReactor::Step {
  v1::ClassifyRequest* read = nullptr;
  const v1::ClassifyStreamResponse* write = nullptr;
  bool finish = false;
  bool stopped = false;
};

ClassifyStreamReactor::ClassifyStreamReactor(ModelHost& host, CallAdmission& admission,
                                             grpc::CallbackServerContext& call,
                                             StreamRegistry& registry)
    : host_(host),
      admission_(admission),
      call_(call),
      deadline_(ToTimePoint(call.deadline())),
      client_(admission.ClientOf(call)),
      registry_(registry) {
  registry_.Add(*this);
  Step step;
  {
    const std::lock_guard lock(mutex_);
    step = Next();
  }
  Take(step);
}

ClassifyStreamReactor::Step ClassifyStreamReactor::Next() {
  Step step;
  if (finished_) return step;
  if (!reading_ && !reads_done_ && !stopping_ && in_flight_ < kMaxInFlight) {
    incoming_ = std::make_shared<v1::ClassifyRequest>();
    reading_ = true;
    step.read = incoming_.get();
  }
  if (!writing_ && !outgoing_.empty()) {
    writing_ = true;
    step.write = &outgoing_.front()->response;
  }
  // A read that is under way while stopping ends with the call.
  if ((reads_done_ || stopping_) && in_flight_ == 0 && !writing_) {
    finished_ = true;
    step.finish = true;
    step.stopped = !reads_done_;
  }
  return step;
}

void ClassifyStreamReactor::Take(const Step& step) {
  if (step.read != nullptr) StartRead(step.read);
  if (step.write != nullptr) {
    admission_.watch().Begin(call_);
    StartWrite(step.write);
  }
  if (step.finish) {
    Finish(step.stopped ? ToGrpc(absl::UnavailableError("the server is stopping"))
                        : grpc::Status::OK);
  }
}

void ClassifyStreamReactor::Stop() {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    step = Next();
  }
  Take(step);
}

void ClassifyStreamReactor::OnReadDone(bool ok) {
  std::shared_ptr<v1::ClassifyRequest> request;
  Step step;
  {
    const std::lock_guard lock(mutex_);
    reading_ = false;
    if (finished_) return;
    if (ok) {
      request = std::exchange(incoming_, nullptr);
      ++in_flight_;
    } else {
      reads_done_ = true;
    }
    step = Next();
  }
  // The request counts as in flight, so the call cannot end before it is answered.
  if (request != nullptr) {
    Take(step);
    Submit(std::move(request));
    return;
  }
  Take(step);
}

void ClassifyStreamReactor::Submit(std::shared_ptr<v1::ClassifyRequest> request) {
  // Each request has an engine of its own: a stream may outlive many.
  const std::shared_ptr<Engine> engine = host_.Current();
  const RequestRecord record(engine);
  // Shared, because a std::function can be copied.
  const auto ticket = std::make_shared<AdmissionController::Ticket>();
  const auto answer = [this, engine, request, record, ticket](absl::StatusOr<Classification> result,
                                                              size_t task) {
    record.Answered(request->task(), result.status());
    auto outgoing = std::make_unique<Outgoing>();
    v1::ClassifyStreamResponse& response = outgoing->response;
    response.set_id(request->id());
    if (result.ok()) {
      FillResponse(engine->set().tasks[task], request->id(), *result, *response.mutable_response());
    } else {
      FillError(result.status(), *response.mutable_error());
    }
    outgoing->ticket = std::move(*ticket);
    outgoing->ticket.Shrink(response.ByteSizeLong());
    Push(std::move(outgoing));
  };
  absl::StatusOr<AdmissionController::Ticket> admitted =
      admission_.Admit(client_, request->ByteSizeLong());
  if (!admitted.ok()) {
    answer(admitted.status(), 0);
    return;
  }
  *ticket = *std::move(admitted);
  absl::StatusOr<ClassifyInput> input = ToInput(*request, engine->set());
  if (!input.ok()) {
    answer(input.status(), 0);
    return;
  }
  input->deadline = deadline_;
  input->cancelled = cancelled_;
  input->done = [answer, task = input->task](absl::StatusOr<Classification> result) {
    answer(std::move(result), task);
  };
  if (absl::Status status = engine->Submit(*std::move(input)); !status.ok())
    answer(std::move(status), 0);
}

void ClassifyStreamReactor::Push(std::unique_ptr<Outgoing> outgoing) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    outgoing_.push_back(std::move(outgoing));
    step = Next();
  }
  Take(step);
}

void ClassifyStreamReactor::OnWriteDone(bool ok) {
  admission_.watch().End(call_);
  Step step;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    outgoing_.pop_front();
    --in_flight_;
    if (!ok) {
      // The client has gone: what waits to be written never will be.
      in_flight_ -= outgoing_.size();
      outgoing_.clear();
      reads_done_ = true;
    }
    step = Next();
  }
  Take(step);
}

void ClassifyStreamReactor::OnDone() {
  admission_.watch().End(call_);
  registry_.Remove(*this);
  delete this;
}

}  // namespace bitplex
