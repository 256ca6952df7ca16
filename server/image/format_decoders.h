// For this folder only: one decoder per format.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/image/format_headers.h"

namespace bitplex::image_internal {

// Each decodes a file that ReadImageHeader accepted into `rgb`, which takes header.height x
// header.width x (red, green, blue), one byte each, and returns the EXIF orientation that the
// caller has to apply: 1 to 8 as EXIF numbers them, another number says nothing. Thread-safe,
// prints nothing. `rgb` is undefined after an error.
// INVALID_ARGUMENT: the picture is corrupted. RESOURCE_EXHAUSTED: no memory.
absl::StatusOr<int> DecodeJpeg(Bytes file, const ImageHeader& header, uint8_t* rgb);
absl::StatusOr<int> DecodePng(Bytes file, const ImageHeader& header, uint8_t* rgb);
absl::StatusOr<int> DecodeWebp(Bytes file, const ImageHeader& header, uint8_t* rgb);
absl::StatusOr<int> DecodeBmp(Bytes file, const ImageHeader& header, uint8_t* rgb);

// The data of the first APP1 segment before the first scan; empty when there is none.
Bytes FirstJpegApp1(Bytes file);

// The orientation in an EXIF block, which begins with its byte order ("II" or "MM"); 1 when it
// holds none, or is broken before it.
int ExifOrientation(Bytes exif);

inline absl::Status Corrupted(const ImageHeader& header, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the ", std::string(ImageFormatName(header.format)), " image (", header.width,
                   " x ", header.height, ") is corrupted and does not decode: ", std::string(what),
                   "; check that it opens in a viewer"));
}

inline absl::Status NoMemoryToDecode() {
  return absl::ResourceExhaustedError(
      "no memory to decode the image; retry, or send a smaller one");
}

}  // namespace bitplex::image_internal
