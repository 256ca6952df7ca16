#include "model_store/util/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

constexpr char kOpenFiles[] = "/proc/self/fd";

std::string FolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

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
  // A file without a name gets one through /proc.
  if (access(kOpenFiles, X_OK) == 0) {
    fd_ = open(FolderOf(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (fd_ >= 0) return absl::OkStatus();
  }
  return OpenNamed();
}

absl::Status AtomicFile::OpenNamed() {
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

// A link cannot take the place of another file; a rename can.
absl::Status AtomicFile::GiveTemporaryName() {
  const std::string open_file = absl::StrCat(kOpenFiles, "/", fd_);
  std::random_device random;
  std::string name;
  do {
    name = absl::StrCat(path_, ".tmp.", absl::Hex(random(), absl::kZeroPad8));
    if (linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = std::move(name);
      return absl::OkStatus();
    }
  } while (errno == EEXIST);
  return Failed("name the new file beside it");
}

absl::Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return Failed("sync");
  if (temporary_.empty()) {
    if (absl::Status status = GiveTemporaryName(); !status.ok()) return status;
  }
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0) return Failed("close");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return Failed("rename the new file to it");
  temporary_.clear();
  const int folder_fd = open(FolderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) return Failed("open the folder of");
  const int synced = fsync(folder_fd);
  close(folder_fd);
  if (synced != 0) return Failed("sync the folder of");
  return absl::OkStatus();
}

}  // namespace bitplex
