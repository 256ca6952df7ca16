// What a picture file says of itself, told from its bytes alone: nothing is decoded or allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex {

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp };  // The whole allow-list.

std::string_view ImageFormatName(ImageFormat format);  // "JPEG".

struct ImageHeader {
  ImageFormat format;
  uint32_t height;  // Pixels, as stored: before any EXIF rotation. Never 0.
  uint32_t width;
};

// Reads the header of a whole file and walks its outer structure to the end, so that a file cut
// short is refused before anything is allocated for it: JPEG markers to EOI, PNG chunks to IEND,
// WebP chunks to the end that RIFF states, BMP pixels by their count. Bytes after the picture are
// ignored. Checksums and compressed data are not looked at: a corrupted picture can pass. Costs one
// pass over the bytes at most.
//
// INVALID_ARGUMENT, naming the fault and the remedy: no bytes; another format; cut short; a broken
// header; a side of 0 pixels; and, though their formats are allowed: a JPEG of more than 64 scans
// (a few bytes each make the decoder work on the whole picture), run-length coded BMP, animated
// WebP. Thread-safe.
absl::StatusOr<ImageHeader> ReadImageHeader(absl::Span<const uint8_t> bytes);

inline absl::Span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace bitplex
