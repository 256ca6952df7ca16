#include "model_store/view/materialized_weights.h"

#include <algorithm>

#include "model_store/arch/layout.h"

namespace bitplex {
namespace {

// Hands out consecutive, 64-byte aligned pieces of a buffer of floats.
class Allotter {
 public:
  explicit Allotter(float* next) : next_(next) {}
  static constexpr size_t Rounded(size_t floats) { return (floats + 15) / 16 * 16; }
  absl::Span<float> Take(size_t floats) {
    float* const piece = next_;
    next_ += Rounded(floats);
    return {piece, floats};
  }
  absl::Span<const float> Copy(const std::vector<float>& values) {
    const absl::Span<float> piece = Take(values.size());
    std::copy(values.begin(), values.end(), piece.begin());
    return piece;
  }

 private:
  float* next_;
};

}  // namespace

class MaterializedWeights::Source : public WeightSource {
 public:
  explicit Source(const MaterializedWeights& weights) : weights_(weights) {}

  absl::Span<const float> Conv(size_t conv, size_t first, size_t count) override {
    const size_t row = weights_.row_counts_[conv];
    return weights_.convs_[conv].subspan(first * row, count * row);
  }
  BatchNormParams BatchNorm(size_t conv) const override { return weights_.batch_norms_[conv]; }
  LinearParams Classifier() const override { return weights_.classifier_; }

 private:
  const MaterializedWeights& weights_;
};

std::unique_ptr<WeightSource> MaterializedWeights::MakeSource() const {
  return std::make_unique<Source>(*this);
}

size_t MaterializedWeights::BytesFor(const Architecture& arch) {
  size_t floats = 0;
  for (const ConvLayer& conv : arch.convs) floats += Allotter::Rounded(conv.weight_count());
  return floats * sizeof(float);
}

absl::StatusOr<std::shared_ptr<const MaterializedWeights>> MaterializedWeights::FromView(
    const TaskView& view) {
  const Architecture& arch = view.arch();
  absl::StatusOr<MappedBuffer> buffer = MappedBuffer::Allocate(BytesFor(arch));
  if (!buffer.ok()) return buffer.status();
  auto weights = std::make_shared<MaterializedWeights>();
  weights->buffer_ = *std::move(buffer);
  Allotter allotter(static_cast<float*>(weights->buffer_.data()));
  for (size_t c = 0; c < arch.convs.size(); ++c) {
    const absl::Span<float> conv = allotter.Take(arch.convs[c].weight_count());
    view.DecodeConv(c, 0, arch.convs[c].out_channels, conv.data());
    weights->convs_.push_back(conv);
    weights->row_counts_.push_back(arch.convs[c].row_count());
    weights->batch_norms_.push_back(view.BatchNorm(c));
  }
  weights->classifier_ = view.Classifier();
  return weights;
}

absl::StatusOr<std::shared_ptr<const MaterializedWeights>> MaterializedWeights::FromCheckpoint(
    const Checkpoint& checkpoint, const Architecture& arch) {
  size_t floats = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    floats += Allotter::Rounded(tensor.values.size());
  }
  absl::StatusOr<MappedBuffer> buffer = MappedBuffer::Allocate(floats * sizeof(float));
  if (!buffer.ok()) return buffer.status();
  auto weights = std::make_shared<MaterializedWeights>();
  weights->buffer_ = *std::move(buffer);
  Allotter allotter(static_cast<float*>(weights->buffer_.data()));
  const auto copy = [&](const std::string& name) {
    return allotter.Copy(checkpoint.tensors.at(name).values);
  };
  for (const ConvLayer& layer : arch.convs) {
    const absl::Span<float> conv = allotter.Take(layer.weight_count());
    OihwToOhwi(layer, checkpoint.tensors.at(layer.name + ".weight").values.data(), conv.data());
    weights->convs_.push_back(conv);
    weights->row_counts_.push_back(layer.row_count());
    weights->batch_norms_.push_back(
        {copy(layer.batch_norm + ".weight"), copy(layer.batch_norm + ".bias"),
         copy(layer.batch_norm + ".running_mean"), copy(layer.batch_norm + ".running_var")});
  }
  weights->classifier_ = {copy("fc.weight"), copy("fc.bias")};
  return weights;
}

}  // namespace bitplex
