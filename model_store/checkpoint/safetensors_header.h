// The JSON header of a safetensors file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplex::checkpoint {

struct SafetensorsHeader {
  struct Entry {
    std::string dtype;
    std::vector<int64_t> shape;  // Never negative, at most kMaxAxes sizes.
    uint64_t begin = 0;          // In the bytes after the header; not checked here.
    uint64_t end = 0;
  };
  std::map<std::string, Entry> tensors;
  std::map<std::string, std::string> metadata;
};

// DATA_LOSS for text that is not a safetensors header. Reads the text as a stream of events, so
// that neither the stack nor the heap grows with the nesting of hostile input.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json);

}  // namespace bitplex::checkpoint
