#include "tests/unit/tiny_network.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/str_cat.h"

namespace bitplex::test {
namespace {

// std::mt19937 is the same everywhere; the standard's distributions are not.
class Values {
 public:
  explicit Values(uint32_t seed) : bits_(seed) {}

  // In [-scale, scale).
  float Next(float scale) {
    const auto signed_24_bits = static_cast<int32_t>(bits_() >> 8) - (1 << 23);
    return static_cast<float>(signed_24_bits) * 0x1p-23f * scale;
  }

 private:
  std::mt19937 bits_;
};

[[noreturn]] void Abort(const std::string& message) {
  std::fprintf(stderr, "test support: %s\n", message.c_str());
  std::abort();
}

}  // namespace

const Architecture& Arch(std::string_view name) {
  const auto arch = FindArchitecture(name);
  if (!arch.ok()) Abort(arch.status().ToString());
  return **arch;
}

const Architecture& TinyArch() { return Arch("resnet10-tiny"); }

Checkpoint RandomCheckpoint(const Architecture& arch, size_t classes, uint32_t seed) {
  Values values(seed);
  Checkpoint checkpoint;
  checkpoint.classes = classes;
  checkpoint.file_name = "random.safetensors";
  checkpoint.sha256 = std::string(64, '0');
  const auto add = [&](const std::string& name, const std::vector<size_t>& shape, float scale,
                       float middle) {
    Tensor tensor;
    size_t count = 1;
    for (const size_t side : shape) {
      tensor.shape.push_back(static_cast<int64_t>(side));
      count *= side;
    }
    for (size_t i = 0; i < count; ++i) tensor.values.push_back(middle + values.Next(scale));
    checkpoint.tensors[name] = std::move(tensor);
  };
  float scale = 0.9f;
  for (const ConvLayer& conv : arch.convs) {
    add(conv.name + ".weight", {conv.out_channels, conv.in_channels, conv.kernel, conv.kernel},
        scale, 0);
    add(conv.batch_norm + ".weight", {conv.out_channels}, 0.25f, 0.5f);
    add(conv.batch_norm + ".bias", {conv.out_channels}, 0.5f, 0);
    add(conv.batch_norm + ".running_mean", {conv.out_channels}, 0.5f, 0);
    add(conv.batch_norm + ".running_var", {conv.out_channels}, 0.25f, 0.5f);
    scale *= 0.7f;
  }
  add("fc.weight", {classes, arch.features}, 0.125f, 0);
  add("fc.bias", {classes}, 0.125f, 0);
  return checkpoint;
}

FuseTask RandomTask(const Architecture& arch, const TaskOptions& options) {
  FuseTask task;
  task.checkpoint = RandomCheckpoint(arch, options.classes, options.seed);
  task.info.name = options.name;
  for (size_t i = 0; i < options.classes; ++i) {
    task.info.labels.push_back(absl::StrCat("label ", i));
  }
  task.info.mean = {0.5f, 0.25f, 0.125f};
  task.info.std = {0.25f, 0.5f, 1.0f};
  task.info.bits = options.bits;
  task.info.channel_exponents = options.channel_exponents;
  task.info.checkpoint = task.checkpoint.file_name;
  task.info.checkpoint_sha256 = task.checkpoint.sha256;
  return task;
}

std::string TempPath(std::string_view name) {
  const std::string file = absl::StrCat("bitplex_", getpid(), "_", std::string(name));
  return (std::filesystem::temp_directory_path() / file).string();
}

std::vector<uint8_t> ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteBytes(const std::string& path, absl::Span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) Abort(absl::StrCat("cannot write ", path));
}

std::vector<uint8_t> StoreBytes(const Architecture& arch, const std::vector<FuseTask>& tasks) {
  const std::string path = TempPath("made.bpx");
  const absl::Status status = FuseToFile(arch, tasks, path);
  if (!status.ok()) Abort(status.ToString());
  std::vector<uint8_t> bytes = ReadBytes(path);
  std::filesystem::remove(path);
  return bytes;
}

}  // namespace bitplex::test
