#include "model_store/util/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitplex {

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Failed(const char* action) const {
  return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot ", action));
}

absl::Status AtomicFile::Open() {
  struct stat info {};
  if (stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path_, " is there and is no regular file"));
  }
  std::string name = path_ + ".tmp.XXXXXX";
  fd_ = mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) return Failed("create a file beside it");
  temporary_ = std::move(name);
  // mkostemp makes files for the owner only; a store is for whoever the folder lets in.
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(fd_, 0666 & ~mask) != 0) return Failed("set the mode of the new file");
  return absl::OkStatus();
}

absl::Status AtomicFile::Write(const void* data, size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(fd_, next, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      return Failed("write");
    }
    next += written;
    bytes -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return Failed("sync");
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0) return Failed("close");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return Failed("rename the new file to it");
  temporary_.clear();
  std::string folder = std::filesystem::path(path_).parent_path().string();
  const int folder_fd =
      open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) return Failed("open the folder of");
  const int synced = fsync(folder_fd);
  close(folder_fd);
  if (synced != 0) return Failed("sync the folder of");
  return absl::OkStatus();
}

}  // namespace bitplex
