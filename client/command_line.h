// The command line of bitplex-client.
#pragma once

#include <iosfwd>

namespace bitplex {

// Parses the arguments, runs the one command they name and returns the exit code of the process:
// kExitOk, kExitFailed or kExitUsage (see output.h). Throws nothing. Options that belong to all
// commands may stand before or after the command's name; $BITPLEX_SERVER stands in for --server,
// and $BITPLEX_TLS_CA, _TLS_CERT, _TLS_KEY and _TOKEN_FILE for the options of their names.
int RunCommandLine(int argc, const char* const* argv, std::istream& in, std::ostream& out,
                   std::ostream& err);

}  // namespace bitplex
