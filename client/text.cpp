#include "client/text.h"

#include <cstdint>

#include "model_store/util/utf8.h"

namespace bitplex {
namespace {

bool IsControl(uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

size_t Width(uint32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F)) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Utf8CodePoint point = DecodeUtf8(text);
    if (text[0] == '\n' || text[0] == '\r' || text[0] == '\t') {
      result += ' ';
    } else if (!point.valid || IsControl(point.value)) {
      result += '?';
    } else {
      result += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return result;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Utf8CodePoint point = DecodeUtf8(text);
    width += point.valid ? Width(point.value) : 1;
    text.remove_prefix(point.bytes);
  }
  return width;
}

}  // namespace bitplex
