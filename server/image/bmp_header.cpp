// BMP: a file header of 14 bytes, an information header of 12 bytes (OS/2) or 40 and more
// (Windows), perhaps colour masks and a palette, then rows padded to 4 bytes.
#include "server/image/format_headers.h"

namespace bitplex::image_internal {
namespace {

constexpr ImageFormat kFormat = ImageFormat::kBmp;
constexpr uint32_t kUncompressed = 0, kBitFields = 3;

struct Layout {
  uint64_t width;
  uint64_t height;
  uint32_t bits_per_pixel;
};

absl::StatusOr<Layout> ReadLayout(Bytes bytes) {
  const uint32_t info_bytes = Little32(bytes, 14);
  if (info_bytes == 12) {
    if (!Has(bytes, 14, 12)) return CutShort(kFormat, bytes, "the rest of its header");
    return Layout{Little16(bytes, 18), Little16(bytes, 20), Little16(bytes, 24)};
  }
  if (info_bytes < 40) return Broken(kFormat, 14, "a header of neither 12 nor 40 and more bytes");
  if (!Has(bytes, 14, info_bytes)) return CutShort(kFormat, bytes, "the rest of its header");
  const uint32_t compression = Little32(bytes, 30);
  if (compression != kUncompressed && compression != kBitFields) {
    return absl::InvalidArgumentError(
        absl::StrCat("the BMP image is compressed (kind ", compression, "); save it uncompressed"));
  }
  const int64_t width = static_cast<int32_t>(Little32(bytes, 18));
  const int64_t height = static_cast<int32_t>(Little32(bytes, 22));
  if (width < 0) return Broken(kFormat, 18, "a negative width");
  // A negative height means that the rows run from the top.
  return Layout{static_cast<uint64_t>(width), static_cast<uint64_t>(height < 0 ? -height : height),
                Little16(bytes, 28)};
}

}  // namespace

absl::StatusOr<ImageHeader> ReadBmpHeader(Bytes bytes) {
  if (!Has(bytes, 0, 18)) return CutShort(kFormat, bytes, "its header");
  const absl::StatusOr<Layout> layout = ReadLayout(bytes);
  if (!layout.ok()) return layout.status();
  switch (layout->bits_per_pixel) {
    case 1:
    case 4:
    case 8:
    case 16:
    case 24:
    case 32:
      break;
    default:
      return Broken(kFormat, 28, absl::StrCat(layout->bits_per_pixel, " bits a pixel"));
  }
  const size_t offset = Little32(bytes, 10);
  // Both sides are below 2^32 and a pixel is at most 32 bits: a row fits 64 bits, and dividing
  // instead of multiplying keeps the product from overflowing.
  const uint64_t row_bytes = (layout->width * layout->bits_per_pixel + 31) / 32 * 4;
  if (row_bytes > 0 &&
      (offset > bytes.size() || (bytes.size() - offset) / row_bytes < layout->height)) {
    return CutShort(kFormat, bytes, "a part of its pixels");
  }
  return ImageHeader{kFormat, static_cast<uint32_t>(layout->height),
                     static_cast<uint32_t>(layout->width)};
}

}  // namespace bitplex::image_internal
