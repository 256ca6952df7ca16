// bitplex-client reload, bitplex-client evict
#pragma once

#include <iosfwd>
#include <string>

#include "client/connection.h"

namespace bitplex {

// Both speak to the server's --admin-listen, and return an exit code (output.h).

// Has the server read its store again, and says what changed. Waits until that is done.
int RunReload(const ConnectionOptions& connection, bool json, std::ostream& out, std::ostream& err);

// Has it give back the materialised weights of `task`, or of all tasks when it is empty.
int RunEvict(const ConnectionOptions& connection, const std::string& task, bool json,
             std::ostream& out, std::ostream& err);

}  // namespace bitplex
