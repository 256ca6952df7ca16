// One image on its way through the server, without gRPC or protobuf.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/executor/predictions.h"
#include "server/image/image_ref.h"
#include "server/serving/batch_queue.h"

namespace bitplex {

struct JobTimings {
  std::chrono::microseconds queue{0};
  std::chrono::microseconds decode{0};
  std::chrono::microseconds view{0};
  std::chrono::microseconds compute{0};
  size_t batch_size = 0;
};

struct Classification {
  std::vector<RankedClass> ranked;
  std::vector<float> logits;  // Empty unless asked for.
  JobTimings timings;
};

struct ClassifyInput {
  size_t task = 0;  // Index in the servable set.
  ImageRef image;   // What it points to stays valid until `done` has been called.
  size_t top_k = 1;
  bool logits = false;
  TimePoint deadline = TimePoint::max();
  std::shared_ptr<const std::atomic<bool>> cancelled;  // Set by the caller when it has gone.
  // Called exactly once, on any thread, unless Submit failed. Must not block.
  std::function<void(absl::StatusOr<Classification>)> done;
};

class ClassifyJob : public Job {
 public:
  ClassifyJob(ClassifyInput input, TimePoint admitted)
      : input_(std::move(input)), admitted_(admitted) {}

  TimePoint deadline() const override { return input_.deadline; }
  bool cancelled() const override { return input_.cancelled != nullptr && *input_.cancelled; }
  void Refuse(absl::Status status) override { input_.done(std::move(status)); }

  void Answer(Classification classification) { input_.done(std::move(classification)); }
  const ClassifyInput& input() const { return input_; }
  TimePoint admitted() const { return admitted_; }

 private:
  const ClassifyInput input_;
  const TimePoint admitted_;
};

}  // namespace bitplex
