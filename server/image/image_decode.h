// From a client's picture to the network's input size, in 8-bit RGB.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace bitplex {

struct ImageLimits {
  // The largest encoded file. Protects the queues' memory: every waiting request holds its file.
  // Raising it costs queue_capacity x this many bytes per task at worst. Default 16 MiB.
  size_t max_encoded_bytes = size_t{16} << 20;
  // The most pixels a picture may have, encoded or raw. Protects against small files that unfold
  // into huge pictures. Raising it costs 3 bytes a pixel in every worker, up to 9 for a progressive
  // JPEG, and their decoding time. Default 50 million: 150 to 450 MB.
  size_t max_pixels = 50'000'000;
};

// No side may be longer, whatever the limits: JPEG's own maximum. It bounds the resizer's tables.
inline constexpr size_t kMaxImageSide = 65'535;

// All functions here are thread-safe and run on the calling thread alone. Every image is
// rows x columns x (red, green, blue), one byte each. Errors name the limit and what to do.

// For admission: reads only the header (see ReadImageHeader) and compares it with the limits.
// INVALID_ARGUMENT.
absl::Status CheckEncoded(absl::Span<const uint8_t> bytes, const ImageLimits& limits);

// For admission: `rgb_bytes` must be exactly height x width x 3, within the limits.
// INVALID_ARGUMENT.
absl::Status CheckRaw(size_t height, size_t width, size_t rgb_bytes, const ImageLimits& limits);

// Decodes a file that passed CheckEncoded, turns it as its EXIF orientation says, and resizes the
// whole picture (nothing is cropped) to height x width: the average over the covered area along an
// axis that shrinks, bilinear along one that grows, untouched when the size already fits. Grey
// becomes RGB, 16-bit channels keep their high byte, alpha is dropped, not blended.
// `rgb` takes height x width x 3 bytes; its content is undefined after an error.
// INVALID_ARGUMENT: the picture is corrupted (damage inside a JPEG's or BMP's pixels has no
// checksum and only shows as wrong pixels). RESOURCE_EXHAUSTED: no memory.
absl::Status DecodeEncoded(absl::Span<const uint8_t> bytes, size_t height, size_t width,
                           absl::Span<uint8_t> rgb);

// Resizes, in the same way, a raw picture that passed CheckRaw.
absl::Status ResizeRaw(size_t source_height, size_t source_width,
                       absl::Span<const uint8_t> source_rgb, size_t height, size_t width,
                       absl::Span<uint8_t> rgb);

}  // namespace bitplex
