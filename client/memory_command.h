// bitplex-client memory
#pragma once

#include <iosfwd>

#include "client/connection.h"

namespace bitplex {

// Reports the server's memory: text, or with `json` the fields of GetMemoryResponse. Returns an
// exit code (output.h).
int RunMemory(const ConnectionOptions& connection, bool json, std::ostream& out, std::ostream& err);

// The report for people, in MB of 10^6 bytes. A saving below zero is shown with its sign and as
// "more than".
void PrintMemory(const v1::GetMemoryResponse& response, std::ostream& out);

}  // namespace bitplex
