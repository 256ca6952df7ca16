// The reference executor: the network as PyTorch would run it, operator by operator, batch norms
// not folded. Channels-last throughout, the layout that LibTorch's convolutions are fast in.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mkldnn_convolution.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/executor/executor.h"
#include "server/executor/module.h"

namespace bitplex {
namespace {

// A tensor over memory that it does not own. ATen has no read-only tensors; nothing here writes to
// one.
at::Tensor Wrap(const float* data, at::IntArrayRef sizes, at::IntArrayRef strides) {
  return at::from_blob(const_cast<float*>(data), sizes, strides, at::kFloat);
}

at::Tensor WrapVector(absl::Span<const float> values) {
  return Wrap(values.data(), {static_cast<int64_t>(values.size())}, {1});
}

// One run of one network.
class Network {
 public:
  Network(const Architecture& arch, WeightSource& weights) : arch_(arch), weights_(weights) {}

  at::Tensor Forward(at::Tensor x) {
    x = ConvBatchNorm(0, x).relu_();
    if (arch_.stem_max_pool) x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
    for (const ResidualBlock& block : arch_.blocks) {
      at::Tensor sum = ConvBatchNorm(block.conv2, ConvBatchNorm(block.conv1, x).relu_());
      sum.add_(block.has_downsample ? ConvBatchNorm(block.downsample, x) : x);
      x = sum.relu_();
    }
    x = at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
    const LinearParams classifier = weights_.Classifier();
    const int64_t features = static_cast<int64_t>(arch_.features);
    const int64_t classes = static_cast<int64_t>(classifier.bias.size());
    return at::linear(x, Wrap(classifier.weight.data(), {classes, features}, {features, 1}),
                      WrapVector(classifier.bias));
  }

 private:
  at::Tensor ConvBatchNorm(size_t index, const at::Tensor& x) {
    const BatchNormParams bn = weights_.BatchNorm(index);
    return at::batch_norm(Conv(index, x), WrapVector(bn.weight), WrapVector(bn.bias),
                          WrapVector(bn.running_mean), WrapVector(bn.running_var),
                          /*training=*/false, /*momentum=*/0.0, kBatchNormEpsilon,
                          /*cudnn_enabled=*/false);
  }

  at::Tensor Conv(size_t index, const at::Tensor& x) {
    const ConvLayer& layer = arch_.convs[index];
    const size_t chunk = ConvChunkChannels(layer);
    std::vector<at::Tensor> parts;
    for (size_t first = 0; first < layer.out_channels; first += chunk) {
      parts.push_back(ConvChannels(index, first, std::min(chunk, layer.out_channels - first), x));
    }
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  }

  at::Tensor ConvChannels(size_t index, size_t first, size_t count, const at::Tensor& x) {
    const ConvLayer& layer = arch_.convs[index];
    const int64_t in = static_cast<int64_t>(layer.in_channels);
    const int64_t k = static_cast<int64_t>(layer.kernel);
    const int64_t stride = static_cast<int64_t>(layer.stride);
    const int64_t padding = static_cast<int64_t>(layer.padding);
    const at::Tensor weight =
        Wrap(weights_.Conv(index, first, count).data(), {static_cast<int64_t>(count), in, k, k},
             {k * k * in, 1, k * in, in});
    // at::conv2d leaves small batches to a loop that is ten times slower than oneDNN and rounds
    // otherwise; asked for by name, oneDNN gives an image the same answer in every batch.
    if (at::globalContext().hasMKLDNN()) {
      return at::mkldnn_convolution(x, weight, {}, {padding, padding}, {stride, stride}, {1, 1}, 1);
    }
    return at::conv2d(x, weight, {}, {stride, stride}, {padding, padding});
  }

  const Architecture& arch_;
  WeightSource& weights_;
};

class LibtorchExecutor : public Executor {
 public:
  absl::Status Run(const Architecture& arch, WeightSource& weights, absl::Span<const float> images,
                   size_t count, absl::Span<float> logits) const override {
    const size_t image_floats = arch.input_height * arch.input_width * arch.input_channels;
    if (count == 0 || images.size() != count * image_floats ||
        logits.size() != count * weights.Classifier().bias.size()) {
      return absl::InternalError("an executor was given buffers of the wrong size");
    }
    // OpenMP's thread count belongs to each thread.
    thread_local const bool single_threaded = (at::set_num_threads(1), true);
    (void)single_threaded;
    try {
      const c10::InferenceMode inference;
      const int64_t n = static_cast<int64_t>(count);
      const int64_t h = static_cast<int64_t>(arch.input_height);
      const int64_t w = static_cast<int64_t>(arch.input_width);
      const int64_t c = static_cast<int64_t>(arch.input_channels);
      const at::Tensor input = Wrap(images.data(), {n, c, h, w}, {h * w * c, 1, w * c, c});
      const at::Tensor output = Network(arch, weights).Forward(input).contiguous();
      std::copy_n(output.data_ptr<float>(), logits.size(), logits.data());
      return absl::OkStatus();
    } catch (const c10::Error& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
    }
  }

  std::string_view name() const override { return "libtorch"; }
};

}  // namespace
}  // namespace bitplex

extern "C" bitplex::Executor* BitplexCreateExecutor(int version) {
  if (version != bitplex::kExecutorModuleVersion) return nullptr;
  return new bitplex::LibtorchExecutor();
}
