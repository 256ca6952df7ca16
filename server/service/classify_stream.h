// One ClassifyStream call.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "bitplex/v1/classifier.grpc.pb.h"
#include "server/service/call_admission.h"
#include "server/service/stream_registry.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Reads requests as long as fewer than kMaxInFlight are unanswered, so that a client that does not
// read its answers costs a bounded amount. Each request has a ticket, until its answer is written.
// Deletes itself when the call is over.
class ClassifyStreamReactor final
    : public grpc::ServerBidiReactor<v1::ClassifyRequest, v1::ClassifyStreamResponse>,
      private StoppableStream {
 public:
  static constexpr size_t kMaxInFlight = 64;

  ClassifyStreamReactor(ModelHost& host, CallAdmission& admission,
                        grpc::CallbackServerContext& call, StreamRegistry& registry);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override;

 private:
  struct Step;
  struct Outgoing {
    v1::ClassifyStreamResponse response;
    AdmissionController::Ticket ticket;
  };

  void Stop() override;
  void Submit(std::shared_ptr<v1::ClassifyRequest> request);
  void Push(std::unique_ptr<Outgoing> outgoing);
  Step Next();
  void Take(const Step& step);

  ModelHost& host_;
  CallAdmission& admission_;
  grpc::CallbackServerContext& call_;
  const TimePoint deadline_;
  const std::string client_;
  StreamRegistry& registry_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);

  std::mutex mutex_;  // Guards what follows.
  std::shared_ptr<v1::ClassifyRequest> incoming_;
  std::deque<std::unique_ptr<Outgoing>> outgoing_;  // The first may be being written.
  size_t in_flight_ = 0;                            // Read, but its answer is not written yet.
  bool reading_ = false;
  bool writing_ = false;
  bool reads_done_ = false;  // The client has sent its last request, or has gone.
  bool stopping_ = false;
  bool finished_ = false;
};

}  // namespace bitplex
