#include "model_store/train/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model_store/train/random.h"
#include "server/image/normalize.h"

namespace bitplex {
namespace {

constexpr uint64_t kPurposeOrder = 2;
constexpr uint64_t kPurposeImages = 3;
constexpr int kPadding = 4;
constexpr int kSide = static_cast<int>(kCifarPixels);

void CutOut(const Augmentation& augmentation, float* out) {
  const int side = static_cast<int>(augmentation.cutout);
  const int top = augmentation.cutout_row - side / 2;
  const int left = augmentation.cutout_column - side / 2;
  const int first = std::max(left, 0);
  const int last = std::min(left + side, kSide);
  for (int row = std::max(top, 0); row < std::min(top + side, kSide); ++row) {
    std::fill(out + 3 * (row * kSide + first), out + 3 * (row * kSide + last), 0.0f);
  }
}

}  // namespace

Augmentation DrawAugmentation(const Recipe& recipe, size_t epoch, size_t image) {
  // Images are below 2^32, so epoch and image together are one number.
  CounterRandom random(recipe.seed, kPurposeImages, epoch << 32 | image);
  Augmentation drawn;
  if (recipe.augment) {
    drawn.shift_rows = static_cast<int>(random.Below(2 * kPadding + 1)) - kPadding;
    drawn.shift_columns = static_cast<int>(random.Below(2 * kPadding + 1)) - kPadding;
    drawn.mirror = random.Below(2) == 1;
  }
  if (recipe.cutout > 0) {
    drawn.cutout = recipe.cutout;
    drawn.cutout_row = static_cast<int>(random.Below(kCifarPixels));
    drawn.cutout_column = static_cast<int>(random.Below(kCifarPixels));
  }
  return drawn;
}

std::vector<uint32_t> EpochOrder(const Recipe& recipe, size_t epoch, size_t count) {
  CounterRandom random(recipe.seed, kPurposeOrder, epoch);
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

ImageMaker::ImageMaker(const Preset& preset) {
  std::array<uint8_t, 3 * 256> greys;
  std::array<float, 3 * 256> normalized;
  for (size_t i = 0; i < greys.size(); ++i) greys[i] = static_cast<uint8_t>(i / 3);
  NormalizeRgb8(greys, preset.mean, preset.std, absl::MakeSpan(normalized));
  for (size_t i = 0; i < greys.size(); ++i) table_[i % 3][i / 3] = normalized[i];
}

void ImageMaker::Make(const uint8_t* rgb, const Augmentation& augmentation, float* out) const {
  float* next = out;
  for (int row = 0; row < kSide; ++row) {
    const int from_row = row + augmentation.shift_rows;
    for (int column = 0; column < kSide; ++column) {
      const int shifted = column + augmentation.shift_columns;
      const int from_column = augmentation.mirror ? kSide - 1 - shifted : shifted;
      const bool inside =
          from_row >= 0 && from_row < kSide && from_column >= 0 && from_column < kSide;
      const uint8_t* pixel = inside ? rgb + 3 * (from_row * kSide + from_column) : nullptr;
      for (size_t channel = 0; channel < 3; ++channel) {
        *next++ = table_[channel][inside ? pixel[channel] : 0];
      }
    }
  }
  if (augmentation.cutout > 0) CutOut(augmentation, out);
}

}  // namespace bitplex
