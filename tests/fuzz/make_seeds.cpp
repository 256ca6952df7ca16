// Writes the seeds of the store and checkpoint targets that no foreign program makes:
//   make_seeds tests/fuzz
// They are committed; run it again when a format changes.
#include <cstdio>
#include <string>

#include "tests/unit/checkpoint_files.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

// The header of a safetensors file of the tiny network, as safetensors_fuzzer puts it before data.
std::string Header(const std::string& dtype, uint64_t value_bytes) {
  std::vector<std::string> fields = {R"("__metadata__":{"format":"pt"})"};
  uint64_t at = 0;
  for (const auto& [name, tensor] : TinyNetwork()) {
    const uint64_t end = at + tensor.values.size() * value_bytes;
    fields.push_back(SafetensorsField(name, dtype, tensor.shape, at, end));
    at = end;
  }
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

// A state dict whose tensors all begin at the first value of the one storage.
std::string StateDict(const std::string& storage_type, int64_t storage_elements) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& [name, tensor] : TinyNetwork()) {
    std::vector<int64_t> strides(tensor.shape.size(), 1);
    for (size_t axis = strides.size() - 1; axis > 0; --axis)
      strides[axis - 1] = strides[axis] * tensor.shape[axis];
    items.emplace_back(name, PickleTensor({.storage_key = "0",
                                           .shape = tensor.shape,
                                           .strides = strides,
                                           .storage_elements = storage_elements,
                                           .storage_type = storage_type}));
  }
  return PickleBytes(PickleDict(items));
}

int Run(const std::string& folder) {
  const auto write = [&](const std::string& name, const std::string& bytes) {
    WriteBytes(absl::StrCat(folder, "/", name), Bytes(bytes));
  };
  const auto store = [&](const std::string& name, const std::vector<FuseTask>& tasks) {
    WriteBytes(absl::StrCat(folder, "/store_seeds/", name), StoreBytes(TinyArch(), tasks));
  };
  store("one_task.bpx", {RandomTask(TinyArch(), {.bits = 1, .classes = 2})});
  FuseTask scaled =
      RandomTask(TinyArch(), {.name = "b", .bits = 2, .classes = 2, .channel_exponents = true});
  scaled.info.activation_scales.assign(TinyArch().convs.size() + 1, 0.03f);
  store("two_tasks.bpx", {RandomTask(TinyArch(), {.bits = 1, .classes = 3}), scaled});
  write("safetensors_seeds/header_f32.json", Header("F32", 4));
  write("safetensors_seeds/header_bf16.json", Header("BF16", 2));
  write("torch_seeds/state_dict_f32.pkl", StateDict("FloatStorage", 64 * 64 * 9));
  write("torch_seeds/state_dict_bf16.pkl", StateDict("BFloat16Storage", 2 * 64 * 64 * 9));
  return 0;
}

}  // namespace
}  // namespace bitplex::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  return bitplex::test::Run(argv[1]);
}
