// CIFAR binary files: records of 1 label byte (CIFAR-10) or 2 (CIFAR-100: coarse, then fine), then
// 3,072 bytes of planar pixels (1,024 red, 1,024 green, 1,024 blue, row-major, 32 x 32).
// Format: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplex {

inline constexpr size_t kCifarPixels = 32;  // Height and width.
inline constexpr size_t kCifarImageBytes = 3 * kCifarPixels * kCifarPixels;

struct CifarImages {
  std::vector<uint8_t> labels;  // The fine label, one an image.
  std::vector<uint8_t> rgb;     // Interleaved: image, row, column, channel.

  size_t size() const { return labels.size(); }
  const uint8_t* image(size_t i) const { return rgb.data() + i * kCifarImageBytes; }
};

// Reads at most `limit` images (0: all) of a file whose labels are below `classes`: more than 10
// classes mean two label bytes a record. NOT_FOUND when there is no such file; INVALID_ARGUMENT
// when its size is no whole number of records, or a label is out of range (naming the record).
absl::StatusOr<CifarImages> ReadCifar(const std::string& path, size_t classes, size_t limit);

}  // namespace bitplex
