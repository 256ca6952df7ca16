#include <grpc/grpc.h>

#include <cstdlib>
#include <iostream>

#include "client/command_line.h"
#include "client/output.h"

int main(int argc, char** argv) {
  // gRPC logs failed connections on its own; the commands already say so in one line.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  // Never undone: gRPC 1.51's shutdown joins a thread that polls for up to 10 s after a large image
  // was sent, and the answer would wait for it.
  grpc_init();
  int code = bitplex::RunCommandLine(argc, argv, std::cin, std::cout, std::cerr);
  if (!std::cout.flush()) {
    std::cerr << "bitplex-client: writing to standard output failed; the output is not complete\n";
    code = bitplex::kExitFailed;
  }
  std::_Exit(code);  // No destructor of a library may race with that thread.
}
