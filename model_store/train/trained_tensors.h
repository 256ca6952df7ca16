// The tensors of a network as training sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/train/trainer.h"

namespace bitplex {

enum class TensorRole : uint8_t {
  kConvolution,
  kClassifier,
  kBatchNormWeight,
  kBatchNormBias,
  kClassifierBias,
  kRunningMean,
  kRunningVariance,
};

struct TrainedTensor {
  std::string name;
  TensorRole role;
  std::vector<int64_t> shape;  // PyTorch's; a convolution's is (out, in, kernel, kernel).

  size_t count() const;
  bool is_statistic() const { return role >= TensorRole::kRunningMean; }
  bool decays() const { return role <= TensorRole::kClassifier; }
};

// All tensors: those that decay, then the other parameters, then the statistics; within each by
// Architecture::convs, the classifier last.
std::vector<TrainedTensor> TrainedTensors(const Architecture& arch, size_t classes);

// A network before its first step: convolutions normal with variance 2 / (outputs x kernel^2)
// (He et al., 2015), the classifier uniform as PyTorch's, momentum nought, average = weights.
// A function of the seed alone.
NetworkState InitialState(const Architecture& arch, size_t classes, uint64_t seed);

// As InitialState, but with the weights and statistics of `from`, a checkpoint of `arch`. Its
// classifier is taken when it has `classes` outputs, and begins anew otherwise.
NetworkState StateFrom(const Checkpoint& from, const Architecture& arch, size_t classes,
                       uint64_t seed);

}  // namespace bitplex
