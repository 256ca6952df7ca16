#include "model_store/checkpoint/input_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"

namespace bitplex::checkpoint {
namespace {

absl::StatusOr<size_t> RegularFileSize(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, "cannot read the file's size");
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError("is a directory; name the checkpoint file in it");
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError("is not a regular file; copy the checkpoint into a file");
  }
  if (info.st_size == 0) {
    return absl::DataLossError("is empty; save or download the checkpoint again");
  }
  return static_cast<size_t>(info.st_size);
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open the file");
  const absl::StatusOr<size_t> size = RegularFileSize(fd);
  if (!size.ok()) {
    close(fd);
    return size.status();
  }
  void* data = mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int map_errno = errno;
  close(fd);  // The mapping stays.
  if (data == MAP_FAILED) return absl::ErrnoToStatus(map_errno, "cannot map the file");
  return InputFile(static_cast<const uint8_t*>(data), *size);
}

InputFile::InputFile(InputFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

InputFile::~InputFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes) {
  std::array<char, EVP_MAX_MD_SIZE> digest;
  unsigned int digest_bytes = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &digest_bytes, EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("OpenSSL offers no SHA-256 in this process");
  }
  return absl::BytesToHexString(absl::string_view(digest.data(), digest_bytes));
}

}  // namespace bitplex::checkpoint
