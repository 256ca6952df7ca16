#include "model_store/util/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "model_store/util/map_fault.h"

namespace bitplex {

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open the file");
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(
        S_ISDIR(info.st_mode) ? "is a directory, not a regular file; name the file in it"
                              : "is not a regular file; copy its content into one");
  }
  const size_t bytes = static_cast<size_t>(info.st_size);
  const FileIdentity identity = ToIdentity(info);
  if (bytes == 0) return MappedFile(nullptr, 0, fd, identity);
  void* const data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    const int reason = errno;
    close(fd);
    return absl::ErrnoToStatus(reason, "cannot map the file");
  }
  GuardMapping(data, bytes);
  return MappedFile(static_cast<const uint8_t*>(data), bytes, fd, identity);
}

bool MappedFile::Unchanged() const {
  struct stat info {};
  if (fstat(fd_, &info) != 0 || ToIdentity(info) != identity_ || MappingFaulted(data_)) {
    changed_ = true;
  }
  return !changed_;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    UnguardMapping(data_);
    munmap(const_cast<uint8_t*>(data_), bytes_);
  }
  if (fd_ >= 0) close(fd_);
}

}  // namespace bitplex
