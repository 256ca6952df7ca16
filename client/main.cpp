#include <cstdlib>
#include <iostream>

#include "client/command_line.h"
#include "client/output.h"

int main(int argc, char** argv) {
  // gRPC logs failed connections on its own; the commands already say so in one line.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const int code = bitplex::RunCommandLine(argc, argv, std::cin, std::cout, std::cerr);
  if (!std::cout.flush()) {
    std::cerr << "bitplex-client: writing to standard output failed; the output is not complete\n";
    return bitplex::kExitFailed;
  }
  return code;
}
