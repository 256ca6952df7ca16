// Any bytes as a picture file, through the check at admission and, when they pass it, through
// decoding: once as they are, and once, if a PNG, with its checksums made good, which else hide
// what is behind them from random changes.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "server/image/image_decode.h"
#include "server/image/image_header.h"

namespace bitplex {
namespace {

constexpr ImageLimits kLimits{.max_encoded_bytes = size_t{1} << 16, .max_pixels = size_t{1} << 14};

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireUsable(const absl::Status& status) {
  Require(absl::IsInvalidArgument(status) && status.message().size() < 1024);
}

void Decode(const std::vector<uint8_t>& file) {
  if (const absl::Status checked = CheckEncoded(file, kLimits); !checked.ok()) {
    return RequireUsable(checked);
  }
  std::vector<uint8_t> rgb(7 * 9 * 3);
  const absl::Status decoded = DecodeEncoded(file, 7, 9, absl::MakeSpan(rgb));
  if (!decoded.ok()) RequireUsable(decoded);
}

uint32_t Big32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

// Chunks of length (4), type (4), data, checksum (4), behind a signature of 8 bytes.
std::vector<uint8_t> WithGoodChecksums(std::vector<uint8_t> png) {
  size_t at = 8;
  while (png.size() >= at + 12) {
    const size_t length = Big32(&png[at]);
    if (length > png.size() - at - 12) break;
    const uLong sum = crc32(0, &png[at + 4], static_cast<uInt>(length + 4));
    for (int i = 0; i < 4; ++i) {
      png[at + 8 + length + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
    }
    at += 12 + length;
  }
  return png;
}

}  // namespace
}  // namespace bitplex

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file(data, data + size);
  bitplex::Decode(file);
  if (size > 8 && data[0] == 0x89) bitplex::Decode(bitplex::WithGoodChecksums(std::move(file)));
  return 0;
}
