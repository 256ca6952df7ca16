// UTF-8 (Unicode 15, table 3-7), as JSON and protobuf strings must be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitplex {

struct Utf8CodePoint {
  uint32_t value = 0;
  size_t bytes = 1;  // That it takes; 1 when it is not valid, so that a reader can go on behind it.
  bool valid = false;
};

// The first code point of `text`, which is not empty. Overlong forms, surrogates and values past
// U+10FFFF are not valid.
inline Utf8CodePoint DecodeUtf8(std::string_view text) {
  const uint8_t lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes > text.size()) return {};
  uint32_t value = lead & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const uint8_t next = static_cast<uint8_t>(text[i]);
    if ((next & 0xC0) != 0x80) return {};
    value = value << 6 | (next & 0x3Fu);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, bytes, true};
}

inline bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8CodePoint point = DecodeUtf8(text);
    if (!point.valid) return false;
    text.remove_prefix(point.bytes);
  }
  return true;
}

}  // namespace bitplex
