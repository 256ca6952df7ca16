// bitplex-client health
#pragma once

#include <iosfwd>
#include <string>

#include "client/connection.h"

namespace bitplex {

// Prints the health of `task`, or of the whole server when it is empty (grpc.health.v1). Returns
// kExitOk when it is SERVING, else kExitFailed: fit for the probes of containers. Needs no token.
int RunHealth(const ConnectionOptions& connection, const std::string& task, bool json,
              std::ostream& out, std::ostream& err);

}  // namespace bitplex
