// Checkpoint files made by hand, byte by byte, for the tests and the fuzzer: whole ones, and the
// pieces from which a test makes a broken one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"

namespace bitplex::test {

using Tensors = std::map<std::string, Tensor>;

inline absl::Span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

template <typename Word>
std::string LittleEndian(Word word) {
  return std::string(reinterpret_cast<const char*>(&word), sizeof(word));
}

inline uint32_t Crc32(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> filled{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
      filled[byte] = crc;
    }
    return filled;
  }();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  return ~crc;
}

// Tensors.

// The formula of tests/data/checkpoints/make_fixtures.py: exact in half precision and in bfloat16.
inline Tensor FilledTensor(const std::string& name, std::vector<int64_t> shape) {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  Tensor tensor{std::move(shape), std::vector<float>(count)};
  const uint32_t seed = Crc32(name);
  const float first = name.ends_with("running_var") ? 0.5f : -0.5f;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t mixed = static_cast<uint32_t>(i) * 2654435761u + seed;
    tensor.values[i] = static_cast<float>(mixed >> 25) / 128 + first;
  }
  return tensor;
}

// resnet10-tiny with `classes` outputs, under torchvision's names.
inline Tensors TinyNetwork(int64_t classes = 10) {
  const Architecture& arch = **FindArchitecture("resnet10-tiny");
  Tensors tensors;
  const auto add = [&tensors](const std::string& name, std::vector<int64_t> shape) {
    tensors[name] = FilledTensor(name, std::move(shape));
  };
  for (const ConvLayer& conv : arch.convs) {
    const auto out = static_cast<int64_t>(conv.out_channels);
    const auto kernel = static_cast<int64_t>(conv.kernel);
    add(conv.name + ".weight", {out, static_cast<int64_t>(conv.in_channels), kernel, kernel});
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      add(conv.batch_norm + part, {out});
    }
  }
  add("fc.weight", {classes, static_cast<int64_t>(arch.features)});
  add("fc.bias", {classes});
  return tensors;
}

inline std::string RawFloats(const Tensor& tensor) {
  return std::string(reinterpret_cast<const char*>(tensor.values.data()),
                     tensor.values.size() * sizeof(float));
}

// Safetensors.

inline std::string SafetensorsBytes(const std::string& header, const std::string& data) {
  return LittleEndian<uint64_t>(header.size()) + header + data;
}

inline std::string SafetensorsField(const std::string& name, const std::string& dtype,
                                    absl::Span<const int64_t> shape, uint64_t begin, uint64_t end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[",
                      absl::StrJoin(shape, ","), "],\"data_offsets\":[", begin, ",", end, "]}");
}

inline std::string SafetensorsFile(const Tensors& tensors, const std::string& metadata = "") {
  std::vector<std::string> fields;
  std::string data;
  if (!metadata.empty()) fields.push_back("\"__metadata__\":" + metadata);
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data += RawFloats(tensor);
    fields.push_back(SafetensorsField(name, "F32", tensor.shape, begin, data.size()));
  }
  return SafetensorsBytes(absl::StrCat("{", absl::StrJoin(fields, ","), "}"), data);
}

// Zip files. A field can be overridden to break an entry.

struct ZipEntry {
  std::string name;
  std::string data;
  uint32_t crc_error = 0;   // Added to the right checksum.
  uint16_t method = 0;      // 0: stored.
  uint32_t extra_size = 0;  // Added to the sizes that are written down.
};

inline std::string ZipBytes(const std::vector<ZipEntry>& entries) {
  std::string file;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    const auto size = static_cast<uint32_t>(entry.data.size()) + entry.extra_size;
    const std::string common = LittleEndian<uint16_t>(0) + LittleEndian(entry.method) +
                               LittleEndian<uint32_t>(0x21 << 16) +  // 1980-01-01.
                               LittleEndian(Crc32(entry.data) + entry.crc_error) +
                               LittleEndian(size) + LittleEndian(size) +
                               LittleEndian(static_cast<uint16_t>(entry.name.size())) +
                               LittleEndian<uint16_t>(0);
    directory += "PK\1\2" + LittleEndian<uint16_t>(20) + LittleEndian<uint16_t>(20) + common +
                 std::string(10, '\0') + LittleEndian(static_cast<uint32_t>(file.size())) +
                 entry.name;
    file += "PK\3\4" + LittleEndian<uint16_t>(20) + common + entry.name + entry.data;
  }
  const auto count = LittleEndian(static_cast<uint16_t>(entries.size()));
  return file + directory + "PK\5\6" + std::string(4, '\0') + count + count +
         LittleEndian(static_cast<uint32_t>(directory.size())) +
         LittleEndian(static_cast<uint32_t>(file.size())) + std::string(2, '\0');
}

// Pickles: each function gives the instructions that push one value.

inline std::string PickleInt(int64_t value) {
  return std::string("\x8a\x08") + LittleEndian(value);
}

inline std::string PickleText(std::string_view text) {
  return absl::StrCat("X", LittleEndian(static_cast<uint32_t>(text.size())), std::string(text));
}

inline std::string PickleGlobal(const std::string& module, const std::string& name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}

inline std::string PickleTuple(const std::vector<std::string>& items) {
  return absl::StrCat("(", absl::StrJoin(items, ""), "t");
}

inline std::string PickleSizes(absl::Span<const int64_t> sizes) {
  std::vector<std::string> items;
  for (const int64_t size : sizes) items.push_back(PickleInt(size));
  return PickleTuple(items);
}

inline std::string PickleDict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string code = "}(";
  for (const auto& [key, value] : items) absl::StrAppend(&code, PickleText(key), value);
  return code + "u";
}

// An object of a class of its own, with these attributes.
inline std::string PickleObject(const std::string& type, const std::string& attributes) {
  return absl::StrCat(PickleGlobal("some.module", type), ")\x81", attributes, "b");
}

struct PickledTensor {
  std::string storage_key;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  int64_t storage_elements = 0;
  int64_t offset = 0;
  std::string storage_type = "FloatStorage";
};

inline std::string PickleTensor(const PickledTensor& tensor) {
  const std::string storage =
      PickleTuple({PickleText("storage"), PickleGlobal("torch", tensor.storage_type),
                   PickleText(tensor.storage_key), PickleText("cpu"),
                   PickleInt(tensor.storage_elements)}) +
      "Q";
  return PickleGlobal("torch._utils", "_rebuild_tensor_v2") +
         PickleTuple({storage, PickleInt(tensor.offset), PickleSizes(tensor.shape),
                      PickleSizes(tensor.strides), "\x89",
                      PickleGlobal("collections", "OrderedDict") + ")R"}) +
         "R";
}

inline std::string PickleBytes(const std::string& code) { return "\x80\x02" + code + "."; }

// PyTorch's zip format around a pickle and its storages, by key.

inline std::string TorchFile(const std::string& pickle,
                             const std::map<std::string, std::string>& storages) {
  std::vector<ZipEntry> entries = {{"net/data.pkl", pickle}, {"net/byteorder", "little"}};
  for (const auto& [key, data] : storages) entries.push_back({"net/data/" + key, data});
  return ZipBytes(entries);
}

}  // namespace bitplex::test
