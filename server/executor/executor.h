// Runs networks. The interface names no tensor class of any library, so that nothing outside an
// executor's own files sees LibTorch or oneDNN.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/view/precision.h"
#include "model_store/view/weight_source.h"

namespace bitplex {

// A task's materialised weights in an executor's own layout and type. Immutable: any number of
// threads may use it. Its memory goes back to the system when it dies.
class PackedWeights {
 public:
  virtual ~PackedWeights() = default;
  virtual size_t bytes() const = 0;
};

// One task as an executor runs it, without the bulk of its weights. Thread-safe. A library's
// failure comes back as INTERNAL.
class Network {
 public:
  virtual ~Network() = default;

  virtual Precision precision() const = 0;

  // Materialises the weights, packed_bytes() of memory. RESOURCE_EXHAUSTED when there is none.
  virtual absl::StatusOr<std::shared_ptr<const PackedWeights>> Pack() const = 0;
  virtual size_t packed_bytes() const = 0;

  // Runs `count` images (float32, normalised; image, row, column, channel) and writes count x
  // classes raw outputs, on the calling thread alone. `weights` are of this network's Pack. An
  // image gets the same bits in every batch.
  virtual absl::Status Run(const PackedWeights& weights, absl::Span<const float> images,
                           size_t count, absl::Span<float> logits) const = 0;

  // The same, to the bit, without materialised weights: each layer is decoded into `scratch`
  // (scratch_bytes(), aligned to 64) just before it runs.
  virtual absl::Status RunLayerwise(absl::Span<std::byte> scratch, absl::Span<const float> images,
                                    size_t count, absl::Span<float> logits) const = 0;
  virtual size_t scratch_bytes() const = 0;

  // Runs like Run and shows each of the values that WeightSource::ActivationScales has a scale for,
  // in float32 and as the layers run: `observe(index, values)`, where index is the scale's.
  // UNIMPLEMENTED for other precisions than kFloat32.
  using Observer = std::function<void(size_t index, absl::Span<const float> values)>;
  virtual absl::Status Observe(const PackedWeights& weights, absl::Span<const float> images,
                               size_t count, const Observer& observe) const = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual std::string_view name() const = 0;  // "onednn".

  // OK when networks of this type run here and are fast; else UNIMPLEMENTED with the reason.
  virtual absl::Status Supports(Precision precision) const = 0;

  // `source` is kept for as long as the network lives. Errors as Supports; FAILED_PRECONDITION when
  // kInt8 lacks activation scales.
  virtual absl::StatusOr<std::unique_ptr<const Network>> Prepare(
      std::shared_ptr<const WeightSource> source, Precision precision) const = 0;
};

// Loads the executor module `name`; errors as LoadModuleFunction
// (model_store/util/module_loader.h).
absl::StatusOr<std::unique_ptr<Executor>> LoadExecutor(const std::string& name);

}  // namespace bitplex
