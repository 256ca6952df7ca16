// For this folder only: one reader per format, and the counted reads that they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "server/image/image_header.h"

namespace bitplex::image_internal {

using Bytes = absl::Span<const uint8_t>;

// Each is called with bytes that begin with its format's signature.
absl::StatusOr<ImageHeader> ReadJpegHeader(Bytes bytes);
absl::StatusOr<ImageHeader> ReadPngHeader(Bytes bytes);
absl::StatusOr<ImageHeader> ReadWebpHeader(Bytes bytes);
absl::StatusOr<ImageHeader> ReadBmpHeader(Bytes bytes);

// True when `count` bytes lie at `offset`; no sum that could overflow.
inline bool Has(Bytes bytes, size_t offset, size_t count) {
  return offset <= bytes.size() && count <= bytes.size() - offset;
}

// The caller has asked Has().
inline uint32_t Big16(Bytes bytes, size_t at) { return bytes[at] << 8 | bytes[at + 1]; }
inline uint32_t Big32(Bytes bytes, size_t at) {
  return Big16(bytes, at) << 16 | Big16(bytes, at + 2);
}
inline uint32_t Little16(Bytes bytes, size_t at) { return bytes[at] | bytes[at + 1] << 8; }
inline uint32_t Little24(Bytes bytes, size_t at) {
  return Little16(bytes, at) | static_cast<uint32_t>(bytes[at + 2]) << 16;
}
inline uint32_t Little32(Bytes bytes, size_t at) {
  return Little16(bytes, at) | Little16(bytes, at + 2) << 16;
}

inline bool TextAt(Bytes bytes, size_t offset, std::string_view text) {
  return Has(bytes, offset, text.size()) &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

inline absl::Status CutShort(ImageFormat format, Bytes bytes, std::string_view missing) {
  return absl::InvalidArgumentError(absl::StrCat(
      "the ", std::string(ImageFormatName(format)), " image ends early: ", bytes.size(),
      " bytes, and ", std::string(missing), " is missing; send the whole file"));
}

inline absl::Status Broken(ImageFormat format, size_t offset, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the ", std::string(ImageFormatName(format)),
                                                 " image is broken at byte ", offset, ": ",
                                                 std::string(what), "; save it anew"));
}

}  // namespace bitplex::image_internal
