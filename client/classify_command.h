// bitplex-client classify
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "client/connection.h"

namespace bitplex {

struct ClassifyOptions {
  ConnectionOptions connection;
  std::vector<std::string> tasks;   // Every image is classified for each.
  std::vector<std::string> images;  // Files, folders, or "-" for `in`.
  uint32_t top_k = 1;
  bool logits = false;  // Costs 4 bytes a class in every answer.
  bool json = false;
};

// Sends the encoded files, up to 32 at a time, and writes the answers in the arguments' order: a
// table to `out` with the messages of what failed on `err`, or one JSON document with both.
// Returns kExitOk when all were answered, otherwise kExitFailed (output.h).
int RunClassify(const ClassifyOptions& options, std::istream& in, std::ostream& out,
                std::ostream& err);

}  // namespace bitplex
