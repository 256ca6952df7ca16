// Single requests, several at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "absl/status/statusor.h"
#include "bitplex/v1/classifier.grpc.pb.h"

namespace bitplex {

// Each request is a call of its own with its own deadline, so one that fails, or that the
// transport refuses, touches no other. Send and Wait belong to one thread.
class RequestWindow {
 public:
  // `stub` must outlive the window. `timeout` counts from Send, for each request by itself.
  RequestWindow(v1::Classifier::Stub* stub, size_t max_in_flight,
                std::chrono::milliseconds timeout);
  ~RequestWindow() { Wait(); }
  RequestWindow(const RequestWindow&) = delete;
  RequestWindow& operator=(const RequestWindow&) = delete;

  // Blocks while max_in_flight requests are under way. `result` must stay where it is until Wait
  // returns; it is written by another thread.
  void Send(v1::ClassifyRequest request, absl::StatusOr<v1::ClassifyResponse>* result);

  // Blocks until every request has its result.
  void Wait();

 private:
  struct Call;
  void Done();

  v1::Classifier::Stub* const stub_;
  const size_t max_in_flight_;
  const std::chrono::milliseconds timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t in_flight_ = 0;  // Under mutex_.
};

}  // namespace bitplex
