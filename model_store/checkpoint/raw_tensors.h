// What a format reader finds in a file: the place and layout of each tensor, not yet its values.
// Values are read only for tensors whose shapes were checked, so a file cannot demand memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/checkpoint/element_type.h"

namespace bitplex::checkpoint {

// More axes than any network has; a longer list of sizes is refused before it is stored.
inline constexpr size_t kMaxAxes = 16;

struct TensorEntry {
  ElementType type = ElementType::kF32;
  std::vector<int64_t> shape = {};    // Never negative.
  std::vector<int64_t> strides = {};  // One for each axis, in elements; never negative.
  uint64_t storage = 0;               // For RawTensors::storage.
  uint64_t byte_offset = 0;           // Of the first element in the storage.
};

struct RawTensors {
  std::map<std::string, TensorEntry> entries;
  std::map<std::string, std::string> metadata;
  // The bytes of a storage; they stay valid until the next call. DATA_LOSS when they are damaged.
  // Refers to the file's bytes, which must outlive it. Not thread-safe.
  std::function<absl::StatusOr<absl::Span<const uint8_t>>(uint64_t storage)> storage;
};

// Strides of a row-major tensor. The product of `shape` must fit in int64_t.
std::vector<int64_t> RowMajorStrides(absl::Span<const int64_t> shape);

// Gathers one tensor's values, whatever its strides, as float32 in row-major order. Allocates the
// product of `entry.shape`, so check that first. DATA_LOSS when an element lies outside the
// storage.
absl::StatusOr<Tensor> ReadTensor(const RawTensors& raw, const TensorEntry& entry);

// For messages: `text` with unprintable bytes escaped, cut to a readable length.
std::string Printable(std::string_view text);

// For messages: "(64,3,3,3)".
std::string ShapeText(absl::Span<const int64_t> shape);

}  // namespace bitplex::checkpoint
