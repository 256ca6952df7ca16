// Training steps with LibTorch's operators and its automatic differentiation. The optimiser is
// here: with flat buffers it is shorter than the use of torch::optim, and torch/torch.h is not
// needed.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <malloc.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model_store/train/libtorch_network.h"
#include "model_store/train/module.h"

namespace bitplex {
namespace {

constexpr int64_t kUpdatePiece = 1 << 16;  // Elements: 256 KiB of each buffer.

// Activations of a batch are tens of megabytes. By default malloc gives each back to the system and
// fetches it again, and the kernel clears its pages, in every layer of every step.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

// Runs `work` and makes a status of what it throws.
template <typename Work>
absl::Status Guarded(Work work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory in a training step; lower --batch");
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

class LibtorchTrainer : public Trainer {
 public:
  LibtorchTrainer(const Architecture& arch, const TrainerOptions& options)
      : arch_(arch),
        options_(options),
        layout_(arch, options.classes),
        device_(options.device == Device::kCuda ? at::kCUDA : at::kCPU) {
    weights_ = at::zeros({layout_.parameters()}, Float());
    gradient_ = at::zeros({layout_.parameters()}, Float());
    momentum_ = at::zeros({layout_.parameters()}, Float());
    average_ = at::zeros({layout_.parameters()}, Float());
    statistics_ = at::zeros({layout_.statistics()}, Float());
    average_statistics_ = at::zeros({layout_.statistics()}, Float());
    totals_ = at::zeros({2}, at::TensorOptions(at::kDouble).device(device_));
    if (low_precision()) {
      low_weights_ = at::zeros({layout_.decaying()}, Float().dtype(at::kBFloat16));
      low_gradient_ = at::zeros({layout_.decaying()}, Float().dtype(at::kBFloat16));
    }
    MakeLeaves();
  }

  absl::Status Restore(const NetworkState& state) override {
    absl::Status checked = absl::OkStatus();
    const absl::Status status = Guarded([&] {
      const at::NoGradGuard no_grad;
      checked = CopyIn(state.weights, weights_, &statistics_);
      if (checked.ok()) checked = CopyIn(state.momentum, momentum_, nullptr);
      if (checked.ok()) checked = CopyIn(state.average, average_, &average_statistics_);
      RefreshLowWeights();
      totals_.zero_();
    });
    return status.ok() ? checked : status;
  }

  absl::StatusOr<NetworkState> Save() override {
    NetworkState state;
    const absl::Status status = Guarded([&] {
      const at::NoGradGuard no_grad;
      state.weights = CopyOut(weights_, &statistics_);
      state.momentum = CopyOut(momentum_, nullptr);
      state.average = CopyOut(average_, &average_statistics_);
    });
    if (!status.ok()) return status;
    return state;
  }

  absl::Status Step(absl::Span<const float> images, absl::Span<const uint8_t> labels,
                    double learning_rate, double average_decay) override {
    return Guarded([&] {
      const at::Tensor input = Images(images, labels.size());
      const at::Tensor target = Labels(labels);
      ClearGradients();
      const at::Tensor outputs = Forward(arch_, leaves_, input, /*training=*/true);
      const at::Tensor loss = at::cross_entropy_loss(outputs, target, {}, at::Reduction::Mean, -100,
                                                     options_.label_smoothing);
      loss.backward();
      const at::NoGradGuard no_grad;
      Update(learning_rate, average_decay);
      totals_[0].add_(loss.detach().to(at::kDouble), static_cast<double>(labels.size()));
      totals_[1].add_(outputs.detach().argmax(1).eq(target).sum());
    });
  }

  absl::StatusOr<Totals> TakeTotals() override {
    Totals totals;
    const absl::Status status = Guarded([&] {
      const at::Tensor values = totals_.cpu();
      totals.loss = values.data_ptr<double>()[0];
      totals.correct = static_cast<size_t>(values.data_ptr<double>()[1]);
      totals_.zero_();
    });
    if (!status.ok()) return status;
    return totals;
  }

  absl::Status Predict(absl::Span<const float> images, size_t count,
                       absl::Span<float> outputs) override {
    return Guarded([&] {
      const at::NoGradGuard no_grad;
      const at::Tensor decaying = average_.narrow(0, 0, layout_.decaying());
      const at::Tensor in_precision = low_precision() ? decaying.to(at::kBFloat16) : decaying;
      const NamedViews network = Views(in_precision, average_, average_statistics_);
      const at::Tensor values =
          Forward(arch_, network, Images(images, count), /*training=*/false).cpu().contiguous();
      std::copy_n(values.data_ptr<float>(), outputs.size(), outputs.data());
    });
  }

  std::string library() const override { return "LibTorch " TORCH_VERSION; }

 private:
  bool low_precision() const { return options_.precision == Precision::kBfloat16; }
  at::TensorOptions Float() const { return at::TensorOptions(at::kFloat).device(device_); }

  // Decaying parameters from a buffer of their own, which may be of another type.
  NamedViews Views(const at::Tensor& decaying, const at::Tensor& parameters,
                   const at::Tensor& statistics) const {
    NamedViews views;
    for (size_t i = 0; i < layout_.tensors().size(); ++i) {
      const TrainedTensor& tensor = layout_.tensors()[i];
      views[tensor.name] = layout_.View(
          tensor.is_statistic() ? statistics : (tensor.decays() ? decaying : parameters), i);
    }
    return views;
  }

  // The tensors that are differentiated by: views of the buffers whose gradients are views of the
  // gradients' buffers, to which the backward pass adds.
  void MakeLeaves() {
    leaves_ = Views(low_precision() ? low_weights_ : weights_, weights_, statistics_);
    NamedViews gradients =
        Views(low_precision() ? low_gradient_ : gradient_, gradient_, statistics_);
    for (const TrainedTensor& tensor : layout_.tensors()) {
      if (tensor.is_statistic()) continue;
      at::Tensor& leaf = leaves_[tensor.name];
      leaf = leaf.detach();
      leaf.set_requires_grad(true);
      leaf.mutable_grad() = gradients[tensor.name];
    }
  }

  void RefreshLowWeights() {
    if (low_precision()) low_weights_.copy_(weights_.narrow(0, 0, layout_.decaying()));
  }

  // Those that the backward pass adds to.
  void ClearGradients() {
    if (!low_precision()) {
      gradient_.zero_();
      return;
    }
    low_gradient_.zero_();
    gradient_.narrow(0, layout_.decaying(), layout_.parameters() - layout_.decaying()).zero_();
  }

  // One step of the optimiser. On a CPU piece by piece: the dozen operations on a piece find it in
  // the cache, instead of reading every buffer from memory a dozen times.
  void Update(double learning_rate, double average_decay) {
    const int64_t decaying = layout_.decaying();
    const int64_t all = layout_.parameters();
    const int64_t piece = options_.device == Device::kCpu ? kUpdatePiece : all;
    for (int64_t begin = 0; begin < all;) {
      const int64_t end = std::min(begin + piece, begin < decaying ? decaying : all);
      UpdatePiece(begin, end - begin, begin < decaying, learning_rate, average_decay);
      begin = end;
    }
    average_statistics_.lerp_(statistics_, 1 - average_decay);
  }

  // Nesterov's SGD as PyTorch's, then the moving average. A piece decays as a whole or not at all.
  void UpdatePiece(int64_t begin, int64_t count, bool decays, double learning_rate,
                   double average_decay) {
    const at::Tensor weights = weights_.narrow(0, begin, count);
    const at::Tensor gradient = gradient_.narrow(0, begin, count);
    const at::Tensor momentum = momentum_.narrow(0, begin, count);
    if (decays && low_precision()) gradient.copy_(low_gradient_.narrow(0, begin, count));
    if (decays || options_.decay_all) gradient.add_(weights, options_.weight_decay);
    momentum.mul_(options_.momentum).add_(gradient);
    weights.add_(gradient, -learning_rate).add_(momentum, -learning_rate * options_.momentum);
    average_.narrow(0, begin, count).lerp_(weights, 1 - average_decay);
    if (decays && low_precision()) low_weights_.narrow(0, begin, count).copy_(weights);
  }

  // Rows of (row, column, channel) as (channel, row, column) with channels last, on the device.
  at::Tensor Images(absl::Span<const float> images, size_t count) const {
    const auto n = static_cast<int64_t>(count);
    const auto h = static_cast<int64_t>(arch_.input_height);
    const auto w = static_cast<int64_t>(arch_.input_width);
    const auto c = static_cast<int64_t>(arch_.input_channels);
    TORCH_CHECK(images.size() == static_cast<size_t>(n * h * w * c), "a batch has the wrong size");
    at::Tensor tensor = at::from_blob(const_cast<float*>(images.data()), {n, c, h, w},
                                      {h * w * c, 1, w * c, c}, at::kFloat);
    tensor = ToDevice(tensor);
    return low_precision() ? tensor.to(at::kBFloat16) : tensor;
  }

  at::Tensor Labels(absl::Span<const uint8_t> labels) const {
    for (const uint8_t label : labels) {
      TORCH_CHECK(label < options_.classes, "a label is out of range");
    }
    return ToDevice(at::from_blob(const_cast<uint8_t*>(labels.data()),
                                  {static_cast<int64_t>(labels.size())}, at::kByte)
                        .to(at::kLong));
  }

  // From pinned memory the copy does not wait for the steps before it.
  at::Tensor ToDevice(const at::Tensor& tensor) const {
    if (options_.device == Device::kCpu) return tensor;
    return tensor.pin_memory().to(device_, tensor.scalar_type(), /*non_blocking=*/true);
  }

  absl::Status CopyIn(const std::map<std::string, Tensor>& from, const at::Tensor& parameters,
                      const at::Tensor* statistics) const {
    for (size_t i = 0; i < layout_.tensors().size(); ++i) {
      const TrainedTensor& tensor = layout_.tensors()[i];
      if (tensor.is_statistic() && statistics == nullptr) continue;
      const auto found = from.find(tensor.name);
      if (found == from.end() || found->second.shape != tensor.shape ||
          found->second.values.size() != tensor.count()) {
        return absl::InvalidArgumentError(
            absl::StrCat("tensor ", tensor.name, " is missing from a state or misshapen"));
      }
      layout_.View(tensor.is_statistic() ? *statistics : parameters, i)
          .copy_(at::from_blob(const_cast<float*>(found->second.values.data()), tensor.shape,
                               at::kFloat));
    }
    return absl::OkStatus();
  }

  std::map<std::string, Tensor> CopyOut(const at::Tensor& parameters,
                                        const at::Tensor* statistics) const {
    std::map<std::string, Tensor> out;
    const at::Tensor host = parameters.cpu();  // One transfer, not one for each tensor.
    const at::Tensor host_statistics = statistics == nullptr ? at::Tensor() : statistics->cpu();
    for (size_t i = 0; i < layout_.tensors().size(); ++i) {
      const TrainedTensor& tensor = layout_.tensors()[i];
      if (tensor.is_statistic() && statistics == nullptr) continue;
      const at::Tensor values =
          layout_.View(tensor.is_statistic() ? host_statistics : host, i).contiguous();
      Tensor& copy = out[tensor.name];
      copy.shape = tensor.shape;
      copy.values.assign(values.data_ptr<float>(), values.data_ptr<float>() + tensor.count());
    }
    return out;
  }

  const Architecture& arch_;
  const TrainerOptions options_;
  const FlatLayout layout_;
  const at::Device device_;
  at::Tensor weights_;  // Float32, whatever the precision.
  at::Tensor gradient_;
  at::Tensor momentum_;
  at::Tensor average_;
  at::Tensor statistics_;
  at::Tensor average_statistics_;
  at::Tensor low_weights_;  // The decaying ones in bfloat16; undefined in float32.
  at::Tensor low_gradient_;
  at::Tensor totals_;  // Loss over all images, right answers; since TakeTotals.
  NamedViews leaves_;
};

absl::Status SetUp(const TrainerOptions& options) {
  at::Context& context = at::globalContext();
  if (options.device == Device::kCuda && !context.hasCUDA()) {
    return absl::UnavailableError(
        "there is no GPU here, or this LibTorch was built without CUDA; give --device cpu");
  }
  KeepFreedMemory();
  at::set_num_threads(static_cast<int>(options.threads));
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  return absl::OkStatus();
}

}  // namespace
}  // namespace bitplex

extern "C" bitplex::Trainer* BitplexCreateTrainer(int version, const bitplex::Architecture& arch,
                                                  const bitplex::TrainerOptions& options,
                                                  absl::Status& status) {
  if (version != bitplex::kTrainerModuleVersion) return nullptr;
  bitplex::Trainer* trainer = nullptr;
  absl::Status made = bitplex::Guarded([&] {
    status = bitplex::SetUp(options);
    if (status.ok()) trainer = new bitplex::LibtorchTrainer(arch, options);
  });
  if (!made.ok()) status = std::move(made);
  return trainer;
}
