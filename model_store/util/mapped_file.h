// A file mapped read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex {

// Owns the mapping; movable. Processes that map the same file share one physical copy.
class MappedFile {
 public:
  // NOT_FOUND or another code with the system's reason; INVALID_ARGUMENT when `path` is no regular
  // file or is empty. Messages name the path.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  absl::Span<const uint8_t> contents() const { return {data_, bytes_}; }

 private:
  MappedFile(const uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}

  const uint8_t* data_;
  size_t bytes_;
};

}  // namespace bitplex
