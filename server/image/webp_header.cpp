// WebP: RIFF chunks of type (4), length (4, little-endian), data, padded to an even length. The
// picture is a VP8 (lossy) or VP8L (lossless) chunk, alone or behind a VP8X chunk with the canvas.
#include "server/image/format_headers.h"

namespace bitplex::image_internal {
namespace {

constexpr ImageFormat kFormat = ImageFormat::kWebp;
constexpr size_t kChunkHeaderBytes = 8;

// The size in a VP8 key frame: tag (3), start code (3), then 14 bits each and a scale.
absl::StatusOr<ImageHeader> ReadVp8(Bytes bytes, size_t at, size_t length) {
  if (length < 10) return Broken(kFormat, at, "a VP8 chunk of fewer than 10 bytes");
  if ((bytes[at] & 1) != 0) return Broken(kFormat, at, "a VP8 chunk that is no key frame");
  if (!TextAt(bytes, at + 3, "\x9D\x01\x2A")) return Broken(kFormat, at + 3, "no VP8 start code");
  return ImageHeader{kFormat, Little16(bytes, at + 8) & 0x3FFF, Little16(bytes, at + 6) & 0x3FFF};
}

// The size in a VP8L stream: a signature byte, then 14 bits each, less one.
absl::StatusOr<ImageHeader> ReadVp8l(Bytes bytes, size_t at, size_t length) {
  if (length < 5) return Broken(kFormat, at, "a VP8L chunk of fewer than 5 bytes");
  if (bytes[at] != 0x2F) return Broken(kFormat, at, "no VP8L signature");
  const uint32_t bits = Little32(bytes, at + 1);
  return ImageHeader{kFormat, (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1};
}

}  // namespace

absl::StatusOr<ImageHeader> ReadWebpHeader(Bytes bytes) {
  const size_t riff_bytes = Little32(bytes, 4);
  if (!Has(bytes, kChunkHeaderBytes, riff_bytes)) {
    return CutShort(kFormat, bytes, absl::StrCat("part of the ", riff_bytes, " that RIFF states"));
  }
  const Bytes riff = bytes.subspan(0, kChunkHeaderBytes + riff_bytes);

  bool extended = false;
  ImageHeader canvas{kFormat, 0, 0};
  size_t at = 12;
  while (true) {
    if (!Has(riff, at, kChunkHeaderBytes))
      return CutShort(kFormat, riff, "its picture chunk (VP8)");
    const size_t length = Little32(riff, at + 4);
    const size_t data = at + kChunkHeaderBytes;
    if (!Has(riff, data, length)) return CutShort(kFormat, riff, "the rest of a chunk");
    const bool lossy = TextAt(riff, at, "VP8 ");
    if (lossy || TextAt(riff, at, "VP8L")) {
      absl::StatusOr<ImageHeader> picture =
          lossy ? ReadVp8(riff, data, length) : ReadVp8l(riff, data, length);
      if (picture.ok() && extended &&
          (picture->width != canvas.width || picture->height != canvas.height)) {
        return Broken(kFormat, data, "a picture that is not of its canvas's size");
      }
      return picture;
    }
    if (TextAt(riff, at, "VP8X") && at == 12) {
      if (length < 10) return Broken(kFormat, data, "a VP8X chunk of fewer than 10 bytes");
      if ((riff[data] & 0x02) != 0) {
        return absl::InvalidArgumentError("the WebP image is animated; send a single picture");
      }
      extended = true;
      canvas = {kFormat, Little24(riff, data + 7) + 1, Little24(riff, data + 4) + 1};
    } else if (!extended) {
      return Broken(kFormat, at, "no picture chunk (VP8, VP8L or VP8X) at its place");
    }
    at = data + length + length % 2;
  }
}

}  // namespace bitplex::image_internal
