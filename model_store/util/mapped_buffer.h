// A private anonymous mapping: memory that goes back to the system the moment it is released,
// which a heap does not promise.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace bitplex {

// Owns its memory; movable. Zero-filled at first, aligned to a page.
class MappedBuffer {
 public:
  // RESOURCE_EXHAUSTED when the system has no memory to give.
  static absl::StatusOr<MappedBuffer> Allocate(size_t bytes) {
    if (bytes == 0) return MappedBuffer();
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot map ", bytes, " bytes, errno ", errno));
    }
    return MappedBuffer(data, bytes);
  }

  MappedBuffer() = default;
  MappedBuffer(MappedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedBuffer& operator=(MappedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedBuffer() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  MappedBuffer(void* data, size_t bytes) : data_(data), bytes_(bytes) {}

  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace bitplex
