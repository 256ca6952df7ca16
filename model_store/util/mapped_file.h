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
  // NOT_FOUND or another code with the system's reason; INVALID_ARGUMENT for anything but a regular
  // file. Never blocks on a pipe. An empty file has empty contents: what that means is the caller's
  // to say. Messages do not name `path`, so that a caller can put it before all of its own.
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
