// W3C Trace Context: the header `traceparent`, by which calls of many servers are told to belong to
// one trace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitplex {

struct TraceContext {
  std::string trace_id;   // 32 lower-case hexadecimal digits, not all 0.
  std::string parent_id;  // 16 of them.
  bool sampled = false;   // Whether the caller may have recorded its part.
};

// Level 1 (https://www.w3.org/TR/trace-context-1): exactly 55 characters in version 00; of a later
// version, what version 00 knows, followed by nothing or "-...". Nothing when it is malformed, in
// which case the standard has it ignored.
std::optional<TraceContext> ParseTraceparent(std::string_view header);

}  // namespace bitplex
