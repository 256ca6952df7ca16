#include "model_store/train/libtorch_network.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>

#include "model_store/train/libtorch_convolution.h"

namespace bitplex {
namespace {

constexpr double kBatchNormMomentum = 0.1;  // PyTorch's default.

at::Tensor ConvBatchNorm(const ConvLayer& layer, const NamedViews& network, const at::Tensor& x,
                         bool training) {
  const auto part = [&](const char* name) { return network.at(layer.batch_norm + name); };
  return at::batch_norm(
      Convolve(x, network.at(layer.name + ".weight"), static_cast<int64_t>(layer.stride),
               static_cast<int64_t>(layer.padding)),
      part(".weight"), part(".bias"), part(".running_mean"), part(".running_var"), training,
      kBatchNormMomentum, kBatchNormEpsilon,
      /*cudnn_enabled=*/true);
}

}  // namespace

FlatLayout::FlatLayout(const Architecture& arch, size_t classes)
    : tensors_(TrainedTensors(arch, classes)) {
  for (const TrainedTensor& tensor : tensors_) {
    const auto count = static_cast<int64_t>(tensor.count());
    offsets_.push_back(tensor.is_statistic() ? statistics_ : parameters_);
    (tensor.is_statistic() ? statistics_ : parameters_) += count;
    if (tensor.decays()) decaying_ += count;
  }
}

at::Tensor FlatLayout::View(const at::Tensor& buffer, size_t index) const {
  const TrainedTensor& tensor = tensors_[index];
  const std::vector<int64_t>& shape = tensor.shape;
  const at::Tensor flat = buffer.narrow(0, offsets_[index], static_cast<int64_t>(tensor.count()));
  if (tensor.role != TensorRole::kConvolution) return flat.view(shape);
  return flat.view({shape[0], shape[2], shape[3], shape[1]}).permute({0, 3, 1, 2});
}

at::Tensor Forward(const Architecture& arch, const NamedViews& network, const at::Tensor& images,
                   bool training) {
  const auto layer = [&](size_t index, const at::Tensor& x) {
    return ConvBatchNorm(arch.convs[index], network, x, training);
  };
  at::Tensor x = layer(0, images).relu_();
  if (arch.stem_max_pool) x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
  for (const ResidualBlock& block : arch.blocks) {
    const at::Tensor sum = layer(block.conv2, layer(block.conv1, x).relu_());
    x = sum.add_(block.has_downsample ? layer(block.downsample, x) : x).relu_();
  }
  // Not adaptive_avg_pool2d: its backward pass on a GPU adds in no fixed order.
  x = x.mean({2, 3});
  return at::linear(x, network.at("fc.weight")).to(at::kFloat).add(network.at("fc.bias"));
}

}  // namespace bitplex
