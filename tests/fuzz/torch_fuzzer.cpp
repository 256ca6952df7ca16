// Any bytes as a PyTorch checkpoint: once as the file, and once as the pickle in a file whose zip
// container is whole, as its checksums hide the pickle from random changes to a file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/read_checkpoint.h"
#include "tests/unit/checkpoint_files.h"

namespace {

// The one storage of the pickles among the seeds: room for the largest tensor of the network.
const std::string& Storage() {
  static const std::string bytes(64 * 64 * 9 * sizeof(float), '\x3c');  // 0.0115 and the like.
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  bitplex::fuzz::ReadCheckpoint(bytes);
  if (!bytes.starts_with("PK"))
    bitplex::fuzz::ReadCheckpoint(bitplex::test::TorchFile(bytes, {{"0", Storage()}}));
  return 0;
}
