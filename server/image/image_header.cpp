#include "server/image/image_header.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/image/format_headers.h"

namespace bitplex {
namespace {

using image_internal::Bytes;
using image_internal::TextAt;

// The name of a well-known format that is not served, or "".
std::string_view OtherFormat(Bytes bytes) {
  if (TextAt(bytes, 0, "GIF8")) return "GIF";
  if (TextAt(bytes, 0, std::string_view("II*\0", 4)) ||
      TextAt(bytes, 0, std::string_view("MM\0*", 4)) ||
      TextAt(bytes, 0, std::string_view("II+\0", 4)) ||
      TextAt(bytes, 0, std::string_view("MM\0+", 4))) {
    return "TIFF";
  }
  if (TextAt(bytes, 4, "ftyp")) {
    if (TextAt(bytes, 8, "avif") || TextAt(bytes, 8, "avis")) return "AVIF";
    for (const char* brand : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}) {
      if (TextAt(bytes, 8, brand)) return "HEIC";
    }
  }
  return "";
}

absl::StatusOr<ImageHeader> Dispatch(Bytes bytes) {
  if (TextAt(bytes, 0, "\xFF\xD8\xFF")) return image_internal::ReadJpegHeader(bytes);
  if (TextAt(bytes, 0, "\x89PNG\r\n\x1A\n")) return image_internal::ReadPngHeader(bytes);
  if (TextAt(bytes, 0, "RIFF") && TextAt(bytes, 8, "WEBP")) {
    return image_internal::ReadWebpHeader(bytes);
  }
  if (TextAt(bytes, 0, "BM")) return image_internal::ReadBmpHeader(bytes);
  const std::string_view other = OtherFormat(bytes);
  return absl::InvalidArgumentError(
      absl::StrCat("the image is ", other.empty() ? "of an unknown format" : std::string(other),
                   "; send JPEG, PNG, WebP or BMP"));
}

}  // namespace

std::string_view ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "unknown";
}

absl::StatusOr<ImageHeader> ReadImageHeader(absl::Span<const uint8_t> bytes) {
  if (bytes.empty()) {
    return absl::InvalidArgumentError("the image is empty; send JPEG, PNG, WebP or BMP");
  }
  absl::StatusOr<ImageHeader> header = Dispatch(bytes);
  if (header.ok() && (header->height == 0 || header->width == 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the ", std::string(ImageFormatName(header->format)), " header states ", header->width,
        " x ", header->height, " pixels; send an image of at least 1 x 1"));
  }
  return header;
}

}  // namespace bitplex
