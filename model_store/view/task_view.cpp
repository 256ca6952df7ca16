#include "model_store/view/task_view.h"

#include <algorithm>

#include "model_store/codec/block_float.h"
#include "model_store/view/narrow.h"

namespace bitplex {

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

unsigned TaskView::mantissa_bits() const {
  unsigned bits = 0;
  for (const Conv& conv : convs_) bits = std::max(bits, conv.field.bits);
  return bits;
}

float TaskView::Scale(size_t conv, size_t channel) const {
  const auto& [field, exponents] = convs_[conv];
  return UnitScale(exponents[exponents.size() == 1 ? 0 : channel], field.bits);
}

void TaskView::DecodeFloat32(size_t conv, size_t first, size_t count, float* out) const {
  const size_t row = arch_->convs[conv].row_count();
  const size_t channels = convs_[conv].exponents.size() == 1 ? count : 1;  // Of one scale.
  for (size_t c = first; c < first + count; c += channels, out += channels * row) {
    DecodeField(convs_[conv].field, c * row, channels * row, Scale(conv, c), out);
  }
}

void TaskView::DecodeBfloat16(size_t conv, size_t first, size_t count, uint16_t* out) const {
  const size_t row = arch_->convs[conv].row_count();
  const size_t channels = convs_[conv].exponents.size() == 1 ? count : 1;
  for (size_t c = first; c < first + count; c += channels, out += channels * row) {
    DecodeFieldBfloat16(convs_[conv].field, c * row, channels * row, Scale(conv, c), out);
  }
}

void TaskView::DecodeInt8(size_t conv, size_t first, size_t count, int8_t* out) const {
  const size_t row = arch_->convs[conv].row_count();
  if (convs_[conv].field.bits <= kMaxInt8Bits) {
    DecodeFieldInt8(convs_[conv].field, first * row, count * row, out);
    return;
  }
  std::vector<float> wide(row);
  for (size_t c = first; c < first + count; ++c, out += row) {
    DecodeFloat32(conv, c, 1, wide.data());
    RoundToInt8(wide.data(), row, out);
  }
}

float TaskView::Int8Scale(size_t conv, size_t channel) const {
  if (convs_[conv].field.bits <= kMaxInt8Bits) return Scale(conv, channel);
  std::vector<float> wide(arch_->convs[conv].row_count());
  DecodeFloat32(conv, channel, 1, wide.data());
  return Int8ScaleOf(wide.data(), wide.size());
}

}  // namespace bitplex
