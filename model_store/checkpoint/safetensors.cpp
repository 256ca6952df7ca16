#include "model_store/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/names.h"
#include "model_store/checkpoint/safetensors_header.h"

namespace bitplex::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "Checkpoints hold little-endian words.");

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMostHeaderBytes = 100'000'000;  // The format's own limit.

struct Dtype {
  std::string_view name;
  size_t bytes;
  std::optional<ElementType> type;  // None: known, but not a weight's.
};

constexpr Dtype kDtypes[] = {
    {"F32", 4, ElementType::kF32},   {"F64", 8, ElementType::kF64}, {"F16", 2, ElementType::kF16},
    {"BF16", 2, ElementType::kBF16}, {"I64", 8, std::nullopt},      {"I32", 4, std::nullopt},
    {"I16", 2, std::nullopt},        {"I8", 1, std::nullopt},       {"U64", 8, std::nullopt},
    {"U32", 4, std::nullopt},        {"U16", 2, std::nullopt},      {"U8", 1, std::nullopt},
    {"BOOL", 1, std::nullopt},       {"F8_E4M3", 1, std::nullopt},  {"F8_E5M2", 1, std::nullopt},
};

// Bytes of a tensor, or none when they do not fit in 63 bits (strides are signed).
std::optional<uint64_t> TensorBytes(absl::Span<const int64_t> shape, size_t element_bytes) {
  uint64_t bytes = element_bytes;
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  for (const int64_t size : shape) {
    if (size != 0 && bytes > kMost / static_cast<uint64_t>(size)) return std::nullopt;
    bytes *= static_cast<uint64_t>(size);
  }
  return bytes;
}

absl::Status CheckTensor(const std::string& name, const SafetensorsHeader::Entry& tensor,
                         size_t data_bytes) {
  const auto dtype = std::ranges::find(kDtypes, std::string_view(tensor.dtype), &Dtype::name);
  if (dtype == std::end(kDtypes)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", Printable(name),
                                                   " has unknown dtype ", Printable(tensor.dtype),
                                                   "; save it as F32, F64, F16 or BF16"));
  }
  if (!dtype->type && !IsIgnoredName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", Printable(name), " has dtype ",
                                                   tensor.dtype,
                                                   "; save it as F32, F64, F16 or BF16"));
  }
  if (tensor.begin > tensor.end || tensor.end > data_bytes) {
    return absl::DataLossError(absl::StrCat(
        "tensor ", Printable(name), " lies at bytes ", tensor.begin, " to ", tensor.end,
        " of a data part of ", data_bytes, " bytes; the file is damaged or cut short"));
  }
  const auto bytes = TensorBytes(tensor.shape, dtype->bytes);
  if (!bytes || *bytes != tensor.end - tensor.begin) {
    return absl::DataLossError(
        absl::StrCat("tensor ", Printable(name), " has ", tensor.end - tensor.begin, " bytes, but ",
                     tensor.dtype, " of shape ", ShapeText(tensor.shape), " takes ",
                     bytes ? absl::StrCat(*bytes) : "more than any file holds"));
  }
  return absl::OkStatus();
}

// The format allows neither holes nor overlaps, so that nothing can hide in a file.
absl::Status CheckLayout(const SafetensorsHeader& header, size_t data_bytes) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, tensor] : header.tensors) ranges.emplace_back(tensor.begin, tensor.end);
  std::ranges::sort(ranges);
  uint64_t at = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != at) {
      return absl::DataLossError(absl::StrCat("the data part has ",
                                              begin < at ? "an overlap" : "a hole", " at byte ",
                                              std::min(begin, at), "; the file is damaged"));
    }
    at = end;
  }
  if (at != data_bytes) {
    return absl::DataLossError(absl::StrCat("the data part has ", data_bytes - at,
                                            " bytes after the last tensor; the file is damaged"));
  }
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeSafetensors(absl::Span<const uint8_t> file) {
  return file.size() > kLengthBytes && file[kLengthBytes] == '{';
}

absl::StatusOr<RawTensors> ReadSafetensors(absl::Span<const uint8_t> file) {
  if (file.size() < kLengthBytes) return absl::DataLossError("the file has no safetensors header");
  uint64_t header_bytes;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  const absl::Span<const uint8_t> rest = file.subspan(kLengthBytes);
  if (header_bytes > kMostHeaderBytes || header_bytes > rest.size()) {
    return absl::DataLossError(
        absl::StrCat("the safetensors header claims ", header_bytes, " bytes; the file has ",
                     rest.size(), " after the length and the format allows ", kMostHeaderBytes));
  }
  auto header = ParseSafetensorsHeader(
      std::string_view(reinterpret_cast<const char*>(rest.data()), header_bytes));
  if (!header.ok()) return header.status();
  const absl::Span<const uint8_t> data = rest.subspan(header_bytes);

  RawTensors raw;
  for (const auto& [name, tensor] : header->tensors) {
    if (auto status = CheckTensor(name, tensor, data.size()); !status.ok()) return status;
    const auto dtype = std::ranges::find(kDtypes, std::string_view(tensor.dtype), &Dtype::name);
    if (!dtype->type) continue;
    raw.entries.emplace(name, TensorEntry{.type = *dtype->type,
                                          .shape = tensor.shape,
                                          .strides = RowMajorStrides(tensor.shape),
                                          .storage = 0,
                                          .byte_offset = tensor.begin});
  }
  if (auto status = CheckLayout(*header, data.size()); !status.ok()) return status;
  raw.metadata = std::move(header->metadata);
  raw.storage = [data](uint64_t) { return data; };
  return raw;
}

}  // namespace bitplex::checkpoint
