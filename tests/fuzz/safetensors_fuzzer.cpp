// Any bytes as a safetensors checkpoint: once as the file, and once as the header of a file whose
// length is right and whose data are as long as the tiny network's, in 4 or 2 bytes a value.
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/read_checkpoint.h"
#include "tests/unit/checkpoint_files.h"

namespace {

constexpr char kByte = '\x3c';  // Two of them are about 0.01 or 1 in every type.

size_t NetworkValues() {
  size_t values = 0;
  for (const auto& [name, tensor] : bitplex::test::TinyNetwork()) values += tensor.values.size();
  return values;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  bitplex::fuzz::ReadCheckpoint(bytes);
  static const size_t values = NetworkValues();
  for (const size_t value_bytes : {4, 2}) {
    const std::string all(values * value_bytes, kByte);
    bitplex::fuzz::ReadCheckpoint(bitplex::test::SafetensorsBytes(bytes, all));
  }
  return 0;
}
