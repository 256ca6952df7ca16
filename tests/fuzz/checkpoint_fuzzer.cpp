// Feeds bytes to the checkpoint readers: once as a file, and once as the pickle of a PyTorch file
// whose zip container is whole, as a checksum hides the pickle from random changes to a file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "model_store/checkpoint/checkpoint_bytes.h"
#include "tests/unit/checkpoint_files.h"

namespace {

void ReadAll(const std::string& file) {
  using bitplex::checkpoint::DetectArchitectureBytes;
  using bitplex::checkpoint::ReadCheckpointBytes;
  const auto arch = DetectArchitectureBytes(bitplex::test::Bytes(file));
  const auto& tiny = **bitplex::FindArchitecture("resnet10-tiny");
  const auto read = ReadCheckpointBytes(bitplex::test::Bytes(file), tiny);
  // Shapes are checked before values are read, so what is read must also be detected.
  if (read.ok() && (!arch.ok() || *arch != &tiny)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  ReadAll(bytes);
  ReadAll(bitplex::test::TorchFile(bytes, {{"0", std::string(4096, '\1')}}));
  return 0;
}
