#include "model_store/checkpoint/safetensors_writer.h"

#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/raw_tensors.h"
#include "model_store/util/atomic_file.h"

namespace bitplex::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "The format is little-endian.");

size_t ElementCount(const Tensor& tensor) {
  size_t count = 1;
  for (const int64_t size : tensor.shape) count *= static_cast<size_t>(size);
  return count;
}

absl::StatusOr<std::string> Header(const std::vector<NamedTensor>& tensors,
                                   const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    if (ElementCount(*tensor) != tensor->values.size() || header.contains(name)) {
      return absl::InternalError(absl::StrCat("tensor ", name, " of shape ",
                                              ShapeText(tensor->shape), " with ",
                                              tensor->values.size(), " values cannot be written"));
    }
    const size_t end = offset + tensor->values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // So that mapped values are aligned.
  return text;
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  const absl::StatusOr<std::string> header = Header(tensors, metadata);
  if (!header.ok()) return header.status();
  AtomicFile file(path);
  if (absl::Status status = file.Open(); !status.ok()) return status;
  const uint64_t header_bytes = header->size();
  absl::Status status = file.Write(&header_bytes, sizeof(header_bytes));
  if (status.ok()) status = file.Write(header->data(), header->size());
  for (const NamedTensor& named : tensors) {
    if (!status.ok()) return status;
    status = file.Write(named.tensor->values.data(), named.tensor->values.size() * sizeof(float));
  }
  return status.ok() ? file.Commit() : status;
}

}  // namespace bitplex::checkpoint
