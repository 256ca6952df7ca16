// bitplex-client tasks
#pragma once

#include <iosfwd>

#include "client/connection.h"

namespace bitplex {

// Lists the server's tasks: a table, or with `json` the fields of ListTasksResponse, labels
// included. Returns an exit code (output.h).
int RunTasks(const ConnectionOptions& connection, bool json, std::ostream& out, std::ostream& err);

}  // namespace bitplex
