#include "model_store/view/plain_weights.h"

#include <algorithm>

#include "model_store/arch/layout.h"
#include "model_store/codec/field.h"
#include "model_store/view/narrow.h"

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

absl::StatusOr<std::shared_ptr<const PlainWeights>> PlainWeights::FromCheckpoint(
    const Checkpoint& checkpoint, const Architecture& arch) {
  size_t floats = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    floats += Allotter::Rounded(tensor.values.size());
  }
  absl::StatusOr<MappedBuffer> buffer = MappedBuffer::Allocate(floats * sizeof(float));
  if (!buffer.ok()) return buffer.status();
  std::shared_ptr<PlainWeights> weights(new PlainWeights(arch));
  weights->buffer_ = *std::move(buffer);
  Allotter allotter(static_cast<float*>(weights->buffer_.data()));
  const auto copy = [&](const std::string& name) {
    return allotter.Copy(checkpoint.tensors.at(name).values);
  };
  for (const ConvLayer& layer : arch.convs) {
    const absl::Span<float> conv = allotter.Take(layer.weight_count());
    OihwToOhwi(layer, checkpoint.tensors.at(layer.name + ".weight").values.data(), conv.data());
    weights->convs_.push_back(conv);
    weights->batch_norms_.push_back(
        {copy(layer.batch_norm + ".weight"), copy(layer.batch_norm + ".bias"),
         copy(layer.batch_norm + ".running_mean"), copy(layer.batch_norm + ".running_var")});
  }
  weights->classifier_ = {copy("fc.weight"), copy("fc.bias")};
  return weights;
}

unsigned PlainWeights::mantissa_bits() const { return kMaxFieldBits; }

absl::Span<const float> PlainWeights::Rows(size_t conv, size_t first, size_t count) const {
  const size_t row = arch_->convs[conv].row_count();
  return convs_[conv].subspan(first * row, count * row);
}

void PlainWeights::DecodeFloat32(size_t conv, size_t first, size_t count, float* out) const {
  const absl::Span<const float> rows = Rows(conv, first, count);
  std::copy(rows.begin(), rows.end(), out);
}

void PlainWeights::DecodeBfloat16(size_t conv, size_t first, size_t count, uint16_t* out) const {
  const absl::Span<const float> rows = Rows(conv, first, count);
  std::transform(rows.begin(), rows.end(), out, RoundToBfloat16);
}

void PlainWeights::DecodeInt8(size_t conv, size_t first, size_t count, int8_t* out) const {
  const size_t row = arch_->convs[conv].row_count();
  for (size_t c = first; c < first + count; ++c, out += row) {
    RoundToInt8(Rows(conv, c, 1).data(), row, out);
  }
}

float PlainWeights::Int8Scale(size_t conv, size_t channel) const {
  const absl::Span<const float> row = Rows(conv, channel, 1);
  return Int8ScaleOf(row.data(), row.size());
}

}  // namespace bitplex
