// The batches of an epoch: which images, in which order, changed how.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model_store/dataset/cifar.h"
#include "model_store/fuse/presets.h"
#include "model_store/train/recipe.h"

namespace bitplex {

// What is done to one image. Nought everywhere: nothing.
struct Augmentation {
  int shift_rows = 0;  // -4 to 4, in pixels; what comes in from outside is black.
  int shift_columns = 0;
  bool mirror = false;
  size_t cutout = 0;   // Side of the square, in pixels.
  int cutout_row = 0;  // Of its middle, 0 to 31; it may reach over the edge.
  int cutout_column = 0;
};

// A function of the recipe's seed, the epoch and the image's index alone.
Augmentation DrawAugmentation(const Recipe& recipe, size_t epoch, size_t image);

// The order in which an epoch takes its images: a permutation of 0 to count - 1. Likewise.
std::vector<uint32_t> EpochOrder(const Recipe& recipe, size_t epoch, size_t count);

// Makes normalised float32 images (row, column, channel) of 8-bit ones. Thread-safe.
class ImageMaker {
 public:
  explicit ImageMaker(const Preset& preset);
  // `rgb` and `out` hold kCifarImageBytes values. Without augmentation: NormalizeRgb8's to the bit.
  void Make(const uint8_t* rgb, const Augmentation& augmentation, float* out) const;

 private:
  std::array<std::array<float, 256>, 3> table_;
};

}  // namespace bitplex
