#include <grpcpp/client_context.h>

#include <map>
#include <mutex>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/load/senders.h"

namespace bitplex::load {
namespace {

// One stream; begins the next and deletes itself when it has ended.
class Stream : public grpc::ClientBidiReactor<v1::ClassifyRequest, v1::ClassifyStreamResponse> {
 public:
  Stream(v1::Classifier::Stub& stub, const SenderOptions& options, SoakRun& run, Running& running)
      : stub_(stub), options_(options), run_(run), running_(running) {
    running_.Begin();
  }

  // False when there is nothing to send; then nothing was started.
  bool Start() {
    if (!Choose()) return false;
    stub_.async()->ClassifyStream(&context_, this);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
    return true;
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) WriteNext();  // Else the end of the stream tells why.
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    Count();
    const std::lock_guard lock(mutex_);
    if (!writing_) WriteNext();
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    for (const auto& [number, ticket] : in_flight_) {
      run_.Lost(ticket, absl::StrCat("stream: ", status.error_code(), " ", status.error_message()));
    }
    if (status.ok() && in_flight_.empty()) run_.StreamEnded();
    auto* const next = new Stream(stub_, options_, run_, running_);
    if (!next->Start()) {
      running_.End();
      delete next;
    }
    running_.End();
    delete this;
  }

 private:
  // The next request, a refused one first, into `request_`. False when there is none to send now.
  bool Choose() {
    SoakRun::Ticket ticket;
    if (!again_.empty()) {
      ticket = again_.back();
      again_.pop_back();
    } else {
      if (sent_ == options_.stream_length) return false;
      const auto taken = run_.Take();
      if (!taken) {
        sent_ = options_.stream_length;
        return false;
      }
      ticket = *taken;
      ++sent_;
    }
    request_ = run_.requests().Classify(ticket.number);
    in_flight_.emplace(ticket.number, ticket);
    return true;
  }

  // Under the lock.
  void WriteNext() {
    if (closed_ || in_flight_.size() >= options_.stream_window) return;
    if (Choose()) {
      writing_ = true;
      StartWrite(&request_);
    } else if (in_flight_.empty()) {  // Nothing that could still be refused.
      closed_ = true;
      StartWritesDone();
    }
  }

  void Count() {
    SoakRun::Ticket ticket;
    {
      const std::lock_guard lock(mutex_);
      uint64_t number = 0;
      const auto at =
          absl::SimpleAtoi(response_.id(), &number) ? in_flight_.find(number) : in_flight_.end();
      if (at == in_flight_.end()) {
        return run_.Stray(absl::StrCat("an answer to no request, id '", response_.id(), "'"));
      }
      ticket = at->second;
      in_flight_.erase(at);
      if (response_.error().code() == grpc::RESOURCE_EXHAUSTED) {
        again_.push_back(ticket);
        return run_.Refused();
      }
    }
    if (response_.has_response()) {
      run_.Answered(Call::kClassifyStream, ticket, response_.response().store_version(),
                    response_.response());
    } else {
      run_.Lost(ticket, absl::StrCat(response_.error().code(), " ", response_.error().message()));
    }
  }

  v1::Classifier::Stub& stub_;
  const SenderOptions options_;
  SoakRun& run_;
  Running& running_;
  grpc::ClientContext context_;
  v1::ClassifyRequest request_;          // Being written.
  v1::ClassifyStreamResponse response_;  // Being read.
  std::mutex mutex_;                     // Guards all below.
  std::map<uint64_t, SoakRun::Ticket> in_flight_;
  std::vector<SoakRun::Ticket> again_;
  size_t sent_ = 0;
  bool writing_ = true;
  bool closed_ = false;
};

}  // namespace

void StartStreams(v1::Classifier::Stub& stub, const SenderOptions& options, SoakRun& run,
                  Running& running) {
  for (size_t i = 0; i < options.streams; ++i) {
    auto* const stream = new Stream(stub, options, run, running);
    if (stream->Start()) continue;
    running.End();
    delete stream;
  }
}

}  // namespace bitplex::load
