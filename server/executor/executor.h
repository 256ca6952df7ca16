// Runs a network. The interface names no tensor class of any library, so that nothing outside an
// executor's own file sees LibTorch or oneDNN.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/view/weight_source.h"

namespace bitplex {

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `count` images (float32, normalised; image, row, column, channel) through the network of
  // `arch` and writes count x classes raw outputs. Uses the calling thread alone. Thread-safe, as
  // long as no two calls share `weights`. A library's failure comes back as INTERNAL.
  virtual absl::Status Run(const Architecture& arch, WeightSource& weights,
                           absl::Span<const float> images, size_t count,
                           absl::Span<float> logits) const = 0;

  virtual std::string_view name() const = 0;  // "libtorch".
};

// Loads the executor module `name`; errors as LoadModuleFunction (model_store/util/module_loader.h).
absl::StatusOr<std::unique_ptr<Executor>> LoadExecutor(const std::string& name);

}  // namespace bitplex
