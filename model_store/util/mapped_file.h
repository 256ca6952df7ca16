// A file mapped read-only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/util/file_identity.h"

namespace bitplex {

// Owns the mapping; movable. Processes that map the same file share one physical copy.
class MappedFile {
 public:
  // NOT_FOUND or another code with the system's reason; INVALID_ARGUMENT for anything but a regular
  // file. Never blocks on a pipe. An empty file has empty contents: what that means is the caller's
  // to say. Messages do not name `path`, so that a caller can put it before all of its own.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        fd_(std::exchange(other.fd_, -1)),
        identity_(other.identity_),
        changed_(other.changed_.load()) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(fd_, other.fd_);
    std::swap(identity_, other.identity_);
    changed_ = other.changed_.exchange(changed_);
    return *this;
  }
  ~MappedFile();

  absl::Span<const uint8_t> contents() const { return {data_, bytes_}; }

  // False once the file was written to, cut or grown since Open: what was read of it then counts
  // for nothing; nor after a page could not be read. Once false, it stays so. A file that another
  // was put in the place of (by rename) is unchanged. One system call.
  bool Unchanged() const;

  // As of Open.
  const FileIdentity& identity() const { return identity_; }

 private:
  MappedFile(const uint8_t* data, size_t bytes, int fd, const FileIdentity& identity)
      : data_(data), bytes_(bytes), fd_(fd), identity_(identity) {}

  const uint8_t* data_;
  size_t bytes_;
  int fd_;
  FileIdentity identity_;
  mutable std::atomic<bool> changed_ = false;  // Seen once.
};

}  // namespace bitplex
