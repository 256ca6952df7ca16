// The clients of a soak. Each keeps its requests in flight until none is left to send.
#pragma once

#include <grpcpp/channel.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>

#include "bitplex/v1/classifier.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "tests/load/soak_run.h"

namespace bitplex::load {

struct SenderOptions {
  size_t unary = 12;            // Classify calls in flight.
  size_t infer = 4;             // ModelInfer calls in flight.
  size_t streams = 2;           // ClassifyStream calls at a time,
  size_t stream_window = 16;    // and requests in flight of each.
  size_t stream_length = 1000;  // Requests of one stream; then a new one begins.
};

// Counts what still runs, so that its end can be waited for.
class Running {
 public:
  void Begin();
  void End();
  void WaitForNone();

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  size_t count_ = 0;  // Guarded by mutex_.
};

// Starts everything and returns. Every sender lives until `run` has no more for it; then it has
// left `running`. Both must outlive that.
class Senders {
 public:
  Senders(const std::string& address, const SenderOptions& options, SoakRun& run);
  ~Senders() { running_.WaitForNone(); }

 private:
  Running running_;
  std::unique_ptr<v1::Classifier::Stub> classifier_;
  std::unique_ptr<v1::Classifier::Stub> streams_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference_;
};

// One by one, each beginning the next when it ends.
void StartUnaryCalls(v1::Classifier::Stub& stub, size_t in_flight, SoakRun& run, Running& running);
void StartInferCalls(inference::GRPCInferenceService::Stub& stub, size_t in_flight, SoakRun& run,
                     Running& running);
void StartStreams(v1::Classifier::Stub& stub, const SenderOptions& options, SoakRun& run,
                  Running& running);

}  // namespace bitplex::load
