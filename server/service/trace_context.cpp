#include "server/service/trace_context.h"

#include <algorithm>

namespace bitplex {
namespace {

constexpr size_t kVersion00Size = 55;  // 00-<32 digits>-<16 digits>-<2 digits>

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

// Of a digit that IsHex has seen.
unsigned DigitValue(char digit) {
  return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  if (header.size() < kVersion00Size) return std::nullopt;
  const std::string_view version = header.substr(0, 2);
  const std::string_view trace_id = header.substr(3, 32);
  const std::string_view parent_id = header.substr(36, 16);
  const std::string_view flags = header.substr(53, 2);
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  for (const std::string_view part : {version, trace_id, parent_id, flags}) {
    if (!IsHex(part)) return std::nullopt;
  }
  if (version == "ff" || IsZero(trace_id) || IsZero(parent_id)) return std::nullopt;
  if (header.size() > kVersion00Size && (version == "00" || header[kVersion00Size] != '-')) {
    return std::nullopt;
  }
  return TraceContext{std::string(trace_id), std::string(parent_id),
                      (DigitValue(flags[1]) & 1u) != 0};
}

}  // namespace bitplex
