// Where the metrics' HTTP port listens.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplex {

// HOST:PORT with an IPv4 address or localhost, as civetweb reads it. INVALID_ARGUMENT for anything
// else: civetweb itself would take "127.0.0.1:1,2" for two ports, the second of them open to all.
absl::StatusOr<std::string> ToHttpAddress(std::string_view listen);

}  // namespace bitplex
