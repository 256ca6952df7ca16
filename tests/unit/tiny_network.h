// Random networks and stores of them: what the store's tests start from. The same seed gives the same
// bytes on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/fuse/fuse.h"

namespace bitplex::test {

// Known to exist; aborts otherwise.
const Architecture& Arch(std::string_view name);
const Architecture& TinyArch();  // "resnet10-tiny".

// Every tensor of `arch` with values in (-1, 1), each convolution at a scale of its own; variances
// are above zero. `file_name` is "random.safetensors", `sha256` is 64 zeros.
Checkpoint RandomCheckpoint(const Architecture& arch, size_t classes, uint32_t seed);

struct TaskOptions {
  std::string name = "a";
  unsigned bits = 8;
  size_t classes = 3;
  bool channel_exponents = false;
  uint32_t seed = 1;
};

// A task with labels "label 0" ... and a random network.
FuseTask RandomTask(const Architecture& arch, const TaskOptions& options);

// A file name in the test's temporary folder that no other test program uses.
std::string TempPath(std::string_view name);

// Whole files. One that cannot be read gives no bytes; one that cannot be written aborts.
std::vector<uint8_t> ReadBytes(const std::string& path);
void WriteBytes(const std::string& path, absl::Span<const uint8_t> bytes);

// The bytes of a store of `tasks`, made by FuseToFile.
std::vector<uint8_t> StoreBytes(const Architecture& arch, const std::vector<FuseTask>& tasks);

}  // namespace bitplex::test
