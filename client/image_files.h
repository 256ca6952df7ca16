// The images that a command line names.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplex {

inline constexpr size_t kMaxImageBytes = size_t{16} << 20;  // Of an encoded file.

struct ImageInput {
  std::string file;     // "-" is standard input.
  absl::Status status;  // Not OK: there is nothing to read, and this is why.
};

// Replaces each folder by the files in it (not in its subfolders) whose suffix is that of an image
// (.jpg, .jpeg, .png, .webp, .bmp in any case), sorted by name; keeps the arguments' order. A
// folder without such files, or one that cannot be listed, becomes one input with an error, and so
// does "-" after the first.
std::vector<ImageInput> ExpandImageArguments(const std::vector<std::string>& arguments);

// Reads a whole file, or `standard_input` for "-". INVALID_ARGUMENT when it is empty or above
// kMaxImageBytes (it is not read further than that), NOT_FOUND or PERMISSION_DENIED (and the
// like) when it cannot be opened, DATA_LOSS when reading fails.
absl::StatusOr<std::string> ReadImage(const std::string& file, std::istream& standard_input);

}  // namespace bitplex
