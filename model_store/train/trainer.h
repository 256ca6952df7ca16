// Takes training steps. The interface names no tensor class of any library: everything but the
// arithmetic of a step (order of the images, augmentation, schedule, files) is plain C++ around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/view/precision.h"

namespace bitplex {

enum class Device : uint8_t { kCpu, kCuda };
struct TrainerOptions {
  size_t classes = 0;
  Device device = Device::kCpu;
  // kFloat32, or kBfloat16 for convolutions and activations: weights, statistics, classifier sums
  // and loss stay float32.
  Precision precision = Precision::kFloat32;
  size_t threads = 1;  // Of the arithmetic on the CPU.
  double momentum = 0.9;
  double weight_decay = 0;
  bool decay_all = false;
  double label_smoothing = 0;
};

// All that steps change. Names and shapes are a Checkpoint's.
struct NetworkState {
  std::map<std::string, Tensor> weights;   // With running means and variances.
  std::map<std::string, Tensor> momentum;  // Without them.
  std::map<std::string, Tensor> average;   // As `weights`: their moving average.
};

// Not thread-safe; every call from the thread that made it. Same calls, same library, device and
// thread count: same bits. A library's failure comes back as INTERNAL or RESOURCE_EXHAUSTED.
class Trainer {
 public:
  virtual ~Trainer() = default;

  // Replaces the state. INVALID_ARGUMENT when a tensor is missing or misshapen. Before the first
  // call nothing else may be called.
  virtual absl::Status Restore(const NetworkState& state) = 0;
  virtual absl::StatusOr<NetworkState> Save() = 0;

  // One step of SGD. `images`: labels.size() images, float32, normalised; image, row, column,
  // channel. Returns before the step has ended when the device is not the CPU.
  virtual absl::Status Step(absl::Span<const float> images, absl::Span<const uint8_t> labels,
                            double learning_rate, double average_decay) = 0;

  struct Totals {
    double loss = 0;  // Summed over the images.
    size_t correct = 0;
  };
  // Of the steps since the last call, as they were trained; waits for them.
  virtual absl::StatusOr<Totals> TakeTotals() = 0;

  // Raw outputs, `count` x classes, of the averaged weights, in the training's precision.
  virtual absl::Status Predict(absl::Span<const float> images, size_t count,
                               absl::Span<float> outputs) = 0;

  virtual std::string library() const = 0;  // "LibTorch 1.13.1".
};

// Loads the module `bitplex_trainer_NAME.so` from the folder `lib/bitplex` beside the running
// program's `bin`, or from $BITPLEX_EXECUTOR_DIR. `arch` must outlive the trainer. NOT_FOUND says
// where the module was looked for; UNAVAILABLE that there is no such device.
absl::StatusOr<std::unique_ptr<Trainer>> LoadTrainer(const std::string& name,
                                                     const Architecture& arch,
                                                     const TrainerOptions& options);

}  // namespace bitplex
