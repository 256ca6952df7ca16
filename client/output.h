// What all commands share: exit codes, and how errors and JSON are written.
#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"

namespace bitplex {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// Writes one line, "bitplex-client: CODE: message", and returns kExitFailed.
int Fail(std::ostream& err, const absl::Status& status);

// Writes one indented document and a line break. Bytes that are no UTF-8 (file names may hold
// any) become U+FFFD.
void PrintJson(std::ostream& out, const nlohmann::ordered_json& document);

// {"code": "NOT_FOUND", "message": "..."}
nlohmann::ordered_json ErrorJson(const absl::Status& status);

}  // namespace bitplex
