// JPEG (ITU-T T.81, annex B): markers, most of them with a segment that states its length.
#include <cstring>

#include "server/image/format_decoders.h"
#include "server/image/format_headers.h"

namespace bitplex::image_internal {
namespace {

constexpr uint8_t kTem = 0x01, kSof0 = 0xC0, kDht = 0xC4, kJpg = 0xC8, kDac = 0xCC, kSof15 = 0xCF,
                  kRst0 = 0xD0, kRst7 = 0xD7, kSoi = 0xD8, kEoi = 0xD9, kSos = 0xDA, kApp1 = 0xE1;

// Encoders write 1 to about 12. Without a bound a 16 MiB file could hold 100 000 scans, each of
// which costs a pass over the whole picture.
constexpr int kMaxScans = 64;

bool IsStartOfFrame(uint8_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

bool HasNoSegment(uint8_t marker) { return marker == kTem || (marker >= kRst0 && marker <= kRst7); }

// Moves `at` behind the next marker and returns it; 0 when the bytes end first. Skips what is no
// marker, as decoders do: stray bytes, fill bytes (FF FF) and, in compressed data, FF 00.
uint8_t NextMarker(Bytes bytes, size_t& at) {
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - at);
    if (found == nullptr) break;
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at == bytes.size()) break;
    const uint8_t marker = bytes[at++];
    if (marker != 0) return marker;
  }
  at = bytes.size();
  return 0;
}

}  // namespace

absl::StatusOr<ImageHeader> ReadJpegHeader(Bytes bytes) {
  constexpr ImageFormat kFormat = ImageFormat::kJpeg;
  ImageHeader header{kFormat, 0, 0};
  bool has_frame = false;
  int scans = 0;
  size_t at = 2;  // Behind SOI.
  while (true) {
    const uint8_t marker = NextMarker(bytes, at);
    if (marker == 0) {
      return CutShort(kFormat, bytes,
                      !has_frame   ? "its frame header (SOF)"
                      : scans == 0 ? "its picture data (SOS)"
                                   : "its end marker (EOI)");
    }
    if (marker == kEoi) break;
    if (marker == kSoi) return Broken(kFormat, at - 2, "a second start of image");
    if (HasNoSegment(marker)) continue;

    if (!Has(bytes, at, 2)) return CutShort(kFormat, bytes, "a segment's length");
    const size_t length = Big16(bytes, at);  // Counts its own two bytes.
    if (length < 2) return Broken(kFormat, at, "a segment shorter than its own length field");
    if (!Has(bytes, at, length)) return CutShort(kFormat, bytes, "the rest of a segment");
    if (IsStartOfFrame(marker)) {
      if (has_frame) return Broken(kFormat, at - 2, "a second frame header");
      if (length < 8) return Broken(kFormat, at, "a frame header of fewer than 8 bytes");
      header.height = Big16(bytes, at + 3);
      header.width = Big16(bytes, at + 5);
      has_frame = true;
    } else if (marker == kSos) {
      if (!has_frame) return Broken(kFormat, at - 2, "picture data before the frame header");
      if (++scans > kMaxScans) return Broken(kFormat, at - 2, "more than 64 scans");
    }
    at += length;
  }
  if (scans == 0) return Broken(kFormat, at - 2, "the image ends before any picture data");
  return header;
}

Bytes FirstJpegApp1(Bytes bytes) {
  size_t at = 2;
  while (true) {
    const uint8_t marker = NextMarker(bytes, at);
    if (marker == 0 || marker == kEoi || marker == kSos) return {};
    if (HasNoSegment(marker)) continue;
    if (!Has(bytes, at, 2)) return {};
    const size_t length = Big16(bytes, at);
    if (length < 2 || !Has(bytes, at, length)) return {};
    if (marker == kApp1) return bytes.subspan(at + 2, length - 2);
    at += length;
  }
}

}  // namespace bitplex::image_internal
