#include "model_store/train/trained_tensors.h"

#include <cmath>
#include <numbers>

#include "model_store/train/random.h"

namespace bitplex {
namespace {

constexpr uint64_t kPurposeWeights = 1;

float Normal(CounterRandom& random) {
  const double radius = std::sqrt(-2 * std::log(random.Unit()));  // Box and Muller.
  return static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.Unit()));
}

Tensor InitialTensor(const TrainedTensor& tensor, const Architecture& arch, CounterRandom random) {
  Tensor made{.shape = tensor.shape, .values = std::vector<float>(tensor.count())};
  switch (tensor.role) {
    case TensorRole::kConvolution: {
      const auto fan_out = static_cast<float>(tensor.shape[0] * tensor.shape[2] * tensor.shape[3]);
      for (float& value : made.values) value = Normal(random) * std::sqrt(2.0f / fan_out);
      break;
    }
    case TensorRole::kClassifier:
    case TensorRole::kClassifierBias: {
      const double bound = 1 / std::sqrt(static_cast<double>(arch.features));
      for (float& value : made.values) {
        value = static_cast<float>((2 * random.Unit() - 1) * bound);
      }
      break;
    }
    case TensorRole::kBatchNormWeight:
    case TensorRole::kRunningVariance:
      made.values.assign(made.values.size(), 1.0f);
      break;
    case TensorRole::kBatchNormBias:
    case TensorRole::kRunningMean:
      break;
  }
  return made;
}

}  // namespace

size_t TrainedTensor::count() const {
  size_t product = 1;
  for (const int64_t size : shape) product *= static_cast<size_t>(size);
  return product;
}

std::vector<TrainedTensor> TrainedTensors(const Architecture& arch, size_t classes) {
  const auto features = static_cast<int64_t>(arch.features);
  const auto outputs = static_cast<int64_t>(classes);
  std::vector<TrainedTensor> tensors;
  for (const ConvLayer& conv : arch.convs) {
    const auto k = static_cast<int64_t>(conv.kernel);
    tensors.push_back(
        {conv.name + ".weight",
         TensorRole::kConvolution,
         {static_cast<int64_t>(conv.out_channels), static_cast<int64_t>(conv.in_channels), k, k}});
  }
  tensors.push_back({"fc.weight", TensorRole::kClassifier, {outputs, features}});
  const auto add_for_each_batch_norm = [&](const char* suffix, TensorRole role) {
    for (const ConvLayer& conv : arch.convs) {
      tensors.push_back(
          {conv.batch_norm + suffix, role, {static_cast<int64_t>(conv.out_channels)}});
    }
  };
  add_for_each_batch_norm(".weight", TensorRole::kBatchNormWeight);
  add_for_each_batch_norm(".bias", TensorRole::kBatchNormBias);
  tensors.push_back({"fc.bias", TensorRole::kClassifierBias, {outputs}});
  add_for_each_batch_norm(".running_mean", TensorRole::kRunningMean);
  add_for_each_batch_norm(".running_var", TensorRole::kRunningVariance);
  return tensors;
}

NetworkState InitialState(const Architecture& arch, size_t classes, uint64_t seed) {
  NetworkState state;
  uint64_t index = 0;
  for (const TrainedTensor& tensor : TrainedTensors(arch, classes)) {
    state.weights[tensor.name] =
        InitialTensor(tensor, arch, CounterRandom(seed, kPurposeWeights, index++));
    if (tensor.is_statistic()) continue;
    state.momentum[tensor.name] = {tensor.shape, std::vector<float>(tensor.count(), 0.0f)};
  }
  state.average = state.weights;
  return state;
}

NetworkState StateFrom(const Checkpoint& from, const Architecture& arch, size_t classes,
                       uint64_t seed) {
  NetworkState state = InitialState(arch, classes, seed);
  for (auto& [name, tensor] : state.weights) {
    const Tensor& trained = from.tensors.at(name);
    if (trained.shape == tensor.shape) tensor = trained;
  }
  state.average = state.weights;
  return state;
}

}  // namespace bitplex
