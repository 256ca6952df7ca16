// bitplex-client evaluate
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

#include "client/connection.h"
#include "client/send_plan.h"

namespace bitplex {

struct EvaluateOptions {
  ConnectionOptions connection;
  std::string task;
  std::string data;         // CIFAR binary file.
  size_t limit = 0;         // Images; 0 means all.
  std::string predictions;  // CSV file to write; empty means none.
  bool json = false;
  SendLimits send;  // Its answer_timeout is replaced by the connection's request_timeout.
};

// Streams the file's images to the server as raw pixels and writes top-1 and top-5 accuracy to
// `out`, in percent. The result counts only when every image was answered exactly once, by the
// same weights. Returns an exit code (output.h).
int RunEvaluate(const EvaluateOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bitplex
