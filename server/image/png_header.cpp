// PNG: a signature, then chunks of length (4, big-endian), type (4), data, CRC-32 (4).
#include "server/image/format_headers.h"

namespace bitplex::image_internal {

absl::StatusOr<ImageHeader> ReadPngHeader(Bytes bytes) {
  constexpr ImageFormat kFormat = ImageFormat::kPng;
  constexpr size_t kSignatureBytes = 8, kIhdrBytes = 13, kFrameBytes = 12;  // Length, type, CRC.
  constexpr uint32_t kMaxSide = 0x7FFFFFFF;
  if (!Has(bytes, kSignatureBytes, kFrameBytes + kIhdrBytes)) {
    return CutShort(kFormat, bytes, "its header (IHDR)");
  }
  if (Big32(bytes, kSignatureBytes) != kIhdrBytes || !TextAt(bytes, kSignatureBytes + 4, "IHDR")) {
    return Broken(kFormat, kSignatureBytes, "no header chunk (IHDR)");
  }
  const ImageHeader header{kFormat, Big32(bytes, 20), Big32(bytes, 16)};
  if (header.width > kMaxSide || header.height > kMaxSide) {
    return Broken(kFormat, 16, "a side of more than 2^31 - 1 pixels");
  }

  bool has_data = false;
  size_t at = kSignatureBytes + kFrameBytes + kIhdrBytes;
  while (true) {
    if (!Has(bytes, at, kFrameBytes)) return CutShort(kFormat, bytes, "its last chunk (IEND)");
    const size_t length = Big32(bytes, at);
    if (!Has(bytes, at + kFrameBytes, length)) {
      return CutShort(kFormat, bytes, "the rest of a chunk");
    }
    if (TextAt(bytes, at + 4, "IHDR")) return Broken(kFormat, at, "a second header chunk (IHDR)");
    if (TextAt(bytes, at + 4, "IDAT")) has_data = true;
    if (TextAt(bytes, at + 4, "IEND")) break;
    at += kFrameBytes + length;
  }
  if (!has_data) return Broken(kFormat, at, "the image ends before any picture data (IDAT)");
  return header;
}

}  // namespace bitplex::image_internal
