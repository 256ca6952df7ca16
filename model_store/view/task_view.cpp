#include "model_store/view/task_view.h"

#include <algorithm>

#include "model_store/codec/block_float.h"

namespace bitplex {
namespace {

class ScratchSource : public WeightSource {
 public:
  ScratchSource(const TaskView& view, absl::Span<float> scratch) : view_(view), scratch_(scratch) {}

  absl::Span<const float> Conv(size_t conv, size_t first, size_t count) override {
    view_.DecodeConv(conv, first, count, scratch_.data());
    return scratch_.subspan(0, count * view_.arch().convs[conv].row_count());
  }
  BatchNormParams BatchNorm(size_t conv) const override { return view_.BatchNorm(conv); }
  LinearParams Classifier() const override { return view_.Classifier(); }

 private:
  const TaskView& view_;
  absl::Span<float> scratch_;
};

}  // namespace

TaskView TaskView::WithReading(Reading reading) const {
  TaskView view = *this;
  if (reading == Reading::kDither) {
    for (auto& [field, exponents] : view.convs_) {
      const unsigned top = field.shift + field.bits;
      field.bits = std::min(top, kMaxFieldBits);
      field.shift = top - field.bits;
    }
  }
  return view;
}

void TaskView::DecodeConv(size_t conv, size_t first, size_t count, float* out) const {
  const auto& [field, exponents] = convs_[conv];
  const size_t row = arch_->convs[conv].row_count();
  if (exponents.size() == 1) {
    DecodeField(field, first * row, count * row, UnitScale(exponents[0], field.bits), out);
    return;
  }
  for (size_t channel = first; channel < first + count; ++channel, out += row) {
    DecodeField(field, channel * row, row, UnitScale(exponents[channel], field.bits), out);
  }
}

std::unique_ptr<WeightSource> TaskView::MakeScratchSource(absl::Span<float> scratch) const {
  return std::make_unique<ScratchSource>(*this, scratch);
}

size_t ScratchFloats(const Architecture& arch) {
  size_t largest = 0;
  for (const ConvLayer& conv : arch.convs) {
    largest = std::max(largest, ConvChunkChannels(conv) * conv.row_count());
  }
  return largest;
}

}  // namespace bitplex
