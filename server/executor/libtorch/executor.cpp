// The reference executor: the network as PyTorch would run it, operator by operator, batch norms
// not folded. Channels-last throughout, the layout that LibTorch's convolutions are fast in.
#include "server/executor/executor.h"

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
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model_store/util/mapped_buffer.h"
#include "server/executor/module.h"
#include "server/executor/run_buffers.h"

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

// Float32 weights of whole convolutions in OHWI order, which LibTorch's channels-last convolutions
// read as they lie.
class OhwiWeights final : public PackedWeights {
 public:
  // Those of a source that has them in memory are used where they are.
  static absl::StatusOr<std::shared_ptr<const PackedWeights>> Make(const WeightSource& source) {
    auto weights = std::make_shared<OhwiWeights>();
    if (source.Float32InMemory(0) == nullptr) {
      absl::StatusOr<MappedBuffer> buffer = MappedBuffer::Allocate(Bytes(source));
      if (!buffer.ok()) return buffer.status();
      weights->buffer_ = *std::move(buffer);
    }
    float* next = static_cast<float*>(weights->buffer_.data());
    const Architecture& arch = source.arch();
    for (size_t c = 0; c < arch.convs.size(); ++c) {
      if (next == nullptr) {
        weights->convs_.push_back(source.Float32InMemory(c));
        continue;
      }
      source.DecodeFloat32(c, 0, arch.convs[c].out_channels, next);
      weights->convs_.push_back(next);
      next += arch.convs[c].weight_count();
    }
    return weights;
  }
  static size_t Bytes(const WeightSource& source) {
    if (source.Float32InMemory(0) != nullptr) return 0;
    size_t floats = 0;
    for (const ConvLayer& layer : source.arch().convs) floats += layer.weight_count();
    return floats * sizeof(float);
  }

  size_t bytes() const override { return buffer_.bytes(); }
  const float* conv(size_t index) const { return convs_[index]; }

 private:
  MappedBuffer buffer_;
  std::vector<const float*> convs_;
};

// Gives the weights of `count` output channels of a convolution from `first` on.
using ReadConv = std::function<const float*(size_t conv, size_t first, size_t count)>;

// One run of one network.
class Pass {
 public:
  Pass(const WeightSource& source, const ReadConv& read, const Network::Observer& observe)
      : source_(source), arch_(source.arch()), read_(read), observe_(observe) {}

  at::Tensor Forward(at::Tensor x) {
    Show(0, x);
    x = Shown(0, ConvBatchNorm(0, x).relu_());
    if (arch_.stem_max_pool) x = at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
    for (const ResidualBlock& block : arch_.blocks) {
      const at::Tensor inner = Shown(block.conv1, ConvBatchNorm(block.conv1, x).relu_());
      at::Tensor sum = ConvBatchNorm(block.conv2, inner);
      sum.add_(block.has_downsample ? Shown(block.downsample, ConvBatchNorm(block.downsample, x))
                                    : x);
      x = Shown(block.conv2, sum.relu_());
    }
    x = at::adaptive_avg_pool2d(x, {1, 1}).flatten(1);
    const LinearParams classifier = source_.Classifier();
    const int64_t features = static_cast<int64_t>(arch_.features);
    const int64_t classes = static_cast<int64_t>(classifier.bias.size());
    return at::linear(x, Wrap(classifier.weight.data(), {classes, features}, {features, 1}),
                      WrapVector(classifier.bias));
  }

 private:
  void Show(size_t index, const at::Tensor& x) {
    if (!observe_) return;
    const at::Tensor flat = x.contiguous();
    observe_(index, {flat.data_ptr<float>(), static_cast<size_t>(flat.numel())});
  }
  at::Tensor Shown(size_t conv, at::Tensor x) {
    Show(conv + 1, x);
    return x;
  }

  at::Tensor ConvBatchNorm(size_t index, const at::Tensor& x) {
    const BatchNormParams bn = source_.BatchNorm(index);
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
        Wrap(read_(index, first, count), {static_cast<int64_t>(count), in, k, k},
             {k * k * in, 1, k * in, in});
    // at::conv2d leaves small batches to a loop that is ten times slower than oneDNN and rounds
    // otherwise; asked for by name, oneDNN gives an image the same answer in every batch.
    if (at::globalContext().hasMKLDNN()) {
      return at::mkldnn_convolution(x, weight, {}, {padding, padding}, {stride, stride}, {1, 1}, 1);
    }
    return at::conv2d(x, weight, {}, {stride, stride}, {padding, padding});
  }

  const WeightSource& source_;
  const Architecture& arch_;
  const ReadConv& read_;
  const Network::Observer& observe_;
};

class LibtorchNetwork final : public Network {
 public:
  explicit LibtorchNetwork(std::shared_ptr<const WeightSource> source)
      : source_(std::move(source)) {}

  Precision precision() const override { return Precision::kFloat32; }
  size_t packed_bytes() const override { return OhwiWeights::Bytes(*source_); }
  size_t scratch_bytes() const override {
    size_t floats = 0;
    for (const ConvLayer& layer : source_->arch().convs) {
      floats = std::max(floats, ConvChunkChannels(layer) * layer.row_count());
    }
    return floats * sizeof(float);
  }

  absl::StatusOr<std::shared_ptr<const PackedWeights>> Pack() const override {
    return OhwiWeights::Make(*source_);
  }

  absl::Status Run(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                   absl::Span<float> logits) const override {
    return RunShown(weights, images, count, nullptr, logits);
  }

  absl::Status RunLayerwise(absl::Span<std::byte> scratch, absl::Span<const float> images,
                            size_t count, absl::Span<float> logits) const override {
    if (absl::Status status = CheckScratch(*this, scratch); !status.ok()) return status;
    float* const buffer = reinterpret_cast<float*>(scratch.data());
    const ReadConv decode = [&](size_t conv, size_t first, size_t channels) {
      source_->DecodeFloat32(conv, first, channels, buffer);
      return buffer;
    };
    return Forward(decode, images, count, nullptr, logits);
  }

  absl::Status Observe(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                       const Observer& observe) const override {
    std::vector<float> logits(count * source_->Classifier().bias.size());
    return RunShown(weights, images, count, observe, absl::MakeSpan(logits));
  }

 private:
  absl::Status RunShown(const PackedWeights& weights, absl::Span<const float> images, size_t count,
                        const Observer& observe, absl::Span<float> logits) const {
    const OhwiWeights& ohwi = static_cast<const OhwiWeights&>(weights);
    const ReadConv read = [&](size_t conv, size_t first, size_t) {
      return ohwi.conv(conv) + first * source_->arch().convs[conv].row_count();
    };
    return Forward(read, images, count, observe, logits);
  }

  absl::Status Forward(const ReadConv& read, absl::Span<const float> images, size_t count,
                       const Observer& observe, absl::Span<float> logits) const {
    const Architecture& arch = source_->arch();
    if (absl::Status status = CheckRunBuffers(*source_, images, count, logits); !status.ok()) {
      return status;
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
      const at::Tensor output = Pass(*source_, read, observe).Forward(input).contiguous();
      std::copy_n(output.data_ptr<float>(), logits.size(), logits.data());
      return absl::OkStatus();
    } catch (const c10::Error& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
    }
  }

  const std::shared_ptr<const WeightSource> source_;
};

class LibtorchExecutor final : public Executor {
 public:
  std::string_view name() const override { return "libtorch"; }

  absl::Status Supports(Precision precision) const override {
    if (precision == Precision::kFloat32) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat("the libtorch executor runs f32 only, not ",
                                                 PrecisionName(precision),
                                                 "; take --executor onednn"));
  }

  absl::StatusOr<std::unique_ptr<const Network>> Prepare(std::shared_ptr<const WeightSource> source,
                                                         Precision precision) const override {
    if (absl::Status status = Supports(precision); !status.ok()) return status;
    return std::make_unique<const LibtorchNetwork>(std::move(source));
  }
};

}  // namespace
}  // namespace bitplex

extern "C" bitplex::Executor* BitplexCreateExecutor(int version) {
  if (version != bitplex::kExecutorModuleVersion) return nullptr;
  return new bitplex::LibtorchExecutor();
}
