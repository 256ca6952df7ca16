// The pictures that the mixed load sends: raw ones of the network's size and of others, and files
// of every format that the server takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model_store/arch/architecture.h"

namespace bitplex::load {

struct Picture {
  size_t height = 0;  // Pixels; 0 in both: `bytes` is a file.
  size_t width = 0;
  std::string bytes;  // A file, or height x width x 3 bytes of RGB8.

  bool encoded() const { return height == 0; }
  // What the network sees of it, before it is normalised: RGB8 of the network's own size.
  std::vector<uint8_t> Resized(const Architecture& arch) const;
};

// The same on every machine.
std::vector<Picture> MakePictures(const Architecture& arch);

}  // namespace bitplex::load
