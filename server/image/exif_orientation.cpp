// EXIF is a small TIFF file: byte order (2), 42 (2), offset of a directory (4); there a count (2)
// and entries of tag (2), type (2), count (4), value or its offset (4).
#include <optional>

#include "server/image/format_decoders.h"

namespace bitplex::image_internal {
namespace {

constexpr uint32_t kMark = 42;
constexpr size_t kEntryBytes = 12, kRationalBytes = 8;
constexpr int kUpright = 1;

enum Tag : uint32_t {
  kDescription = 0x010E,
  kMake = 0x010F,
  kModel = 0x0110,
  kOrientation = 0x0112,
  kXResolution = 0x011A,
  kYResolution = 0x011B,
  kResolutionUnit = 0x0128,
  kSoftware = 0x0131,
  kDateTime = 0x0132,
  kWhitePoint = 0x013E,
  kPrimaries = 0x013F,
  kYCbCrCoefficients = 0x0211,
  kYCbCrPositioning = 0x0213,
  kReferenceBlackWhite = 0x0214,
  kCopyright = 0x8298,
};

class Exif {
 public:
  explicit Exif(Bytes bytes) : bytes_(bytes), little_(TextAt(bytes, 0, "II")) {}

  std::optional<uint32_t> U16(size_t at) const {
    if (!Has(bytes_, at, 2)) return std::nullopt;
    return little_ ? Little16(bytes_, at) : Big16(bytes_, at);
  }
  std::optional<uint32_t> U32(size_t at) const {
    if (!Has(bytes_, at, 4)) return std::nullopt;
    return little_ ? Little32(bytes_, at) : Big32(bytes_, at);
  }

  // Whether the value of the entry at `at` lies in the block.
  bool HasValue(uint32_t tag, size_t at) const {
    switch (tag) {
      case kOrientation:
      case kResolutionUnit:
      case kYCbCrPositioning:
        return U16(at + 8).has_value();
      case kDescription:
      case kMake:
      case kModel:
      case kSoftware:
      case kDateTime:
      case kCopyright:
        return HasText(at);
      case kXResolution:
      case kYResolution:
        return HasRationals(at, 1);
      case kWhitePoint:
        return HasRationals(at, 2);
      case kYCbCrCoefficients:
        return HasRationals(at, 3);
      case kPrimaries:
      case kReferenceBlackWhite:
        return HasRationals(at, 6);
      default:
        return true;
    }
  }

 private:
  bool HasText(size_t at) const {
    const std::optional<uint32_t> length = U32(at + 4);
    if (!length) return false;
    if (*length <= 4) return Has(bytes_, 8, *length);
    const std::optional<uint32_t> offset = U32(at + 8);
    return offset && Has(bytes_, *offset, *length);
  }
  bool HasRationals(size_t at, size_t count) const {
    const std::optional<uint32_t> offset = U32(at + 8);
    return offset && Has(bytes_, *offset, count * kRationalBytes);
  }

  Bytes bytes_;
  bool little_;
};

}  // namespace

// A broken entry ends the reading, and a byte order that is neither counts as "MM": what OpenCV's
// imdecode does, so that a picture comes out the same from both.
int ExifOrientation(Bytes bytes) {
  const Exif exif(bytes);
  if (exif.U16(2) != kMark) return kUpright;
  const std::optional<uint32_t> directory = exif.U32(4);
  if (!directory) return kUpright;
  const std::optional<uint32_t> entries = exif.U16(*directory);
  if (!entries) return kUpright;
  for (size_t i = 0; i < *entries; ++i) {
    const size_t at = size_t{*directory} + 2 + i * kEntryBytes;
    const std::optional<uint32_t> tag = exif.U16(at);
    if (!tag || !exif.HasValue(*tag, at)) return kUpright;
    if (*tag == kOrientation) return static_cast<int>(*exif.U16(at + 8));
  }
  return kUpright;
}

}  // namespace bitplex::image_internal
