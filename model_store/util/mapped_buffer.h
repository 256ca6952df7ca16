// A private anonymous mapping: memory that goes back to the system the moment it is released,
// which a heap does not promise.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace bitplex {

// Owns its memory; movable. Zero-filled at first, aligned to a page; large buffers to a huge page,
// which they are made of where the system has them: filling a view with 4 KiB pages costs several
// times the filling itself in page faults.
class MappedBuffer {
 public:
  static constexpr size_t kHugePageBytes = size_t{2} << 20;

  // RESOURCE_EXHAUSTED when the system has no memory to give.
  static absl::StatusOr<MappedBuffer> Allocate(size_t bytes) {
    if (bytes == 0) return MappedBuffer();
    const size_t slack = bytes >= kHugePageBytes ? kHugePageBytes : 0;
    void* const start =
        mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot map ", bytes, " bytes, errno ", errno));
    }
    if (slack == 0) return MappedBuffer(start, bytes);
    // Cut off what lies before the boundary and behind the buffer.
    char* const first = static_cast<char*>(start);
    const size_t before =
        (kHugePageBytes - reinterpret_cast<uintptr_t>(first) % kHugePageBytes) % kHugePageBytes;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t end = (before + bytes + page - 1) / page * page;
    if (before > 0) munmap(first, before);
    if (end < bytes + slack) munmap(first + end, bytes + slack - end);
    madvise(first + before, bytes, MADV_HUGEPAGE);  // A wish; small pages do too.
    return MappedBuffer(first + before, bytes);
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
