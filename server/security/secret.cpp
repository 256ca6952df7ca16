#include "server/security/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;

struct Descriptor {
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  const int fd;
};

absl::Status CannotRead(const std::string& option, const std::string& path, int error) {
  const std::string message = absl::StrCat(option, " ", path, ": cannot read it: ", strerror(error),
                                           "; give a file that this process may read");
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  return absl::PermissionDeniedError(message);
}

}  // namespace

void Secret::Wipe() {
  if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

absl::StatusOr<SecretFile> ReadSecretFile(const std::string& path, const std::string& option) {
  // O_NONBLOCK: a named pipe must not hold up the start.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return CannotRead(option, path, errno);
  struct stat info;
  if (fstat(file.fd, &info) != 0) return CannotRead(option, path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", path, ": not a regular file; give the path of a file"));
  }
  // One buffer of the largest size: a buffer that grows would leave copies behind. One byte more
  // than the limit tells a file that is too large.
  std::vector<char> buffer(kMaxBytes + 1);
  size_t size = 0;
  int error = 0;
  while (size < buffer.size()) {
    const ssize_t got = read(file.fd, buffer.data() + size, buffer.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  SecretFile result;
  if (size <= kMaxBytes) result.content = Secret(std::string_view(buffer.data(), size));
  OPENSSL_cleanse(buffer.data(), size);
  result.open_to_others = (info.st_mode & (S_IROTH | S_IWOTH)) != 0;
  if (error != 0) return CannotRead(option, path, error);
  if (size > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", path, ": larger than 1 MiB; is it the right file?"));
  }
  if (result.content.text().find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", path, ": holds a NUL byte; give a text file"));
  }
  return result;
}

}  // namespace bitplex
