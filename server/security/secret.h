// Files that hold secrets, and their text in memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplex {

// Text that is wiped from memory when it goes, and that no log takes by mistake. Holds no NUL byte.
class Secret {
 public:
  Secret() : bytes_(1, '\0') {}
  explicit Secret(std::string_view text) : bytes_(text.begin(), text.end()) {
    bytes_.push_back('\0');
  }
  ~Secret() { Wipe(); }
  // A vector's bytes stay in place when it is moved, so nothing is left behind.
  Secret(Secret&& other) noexcept = default;
  Secret& operator=(Secret&& other) noexcept {
    Wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
  }

  std::string_view text() const {
    return bytes_.empty() ? std::string_view() : std::string_view(bytes_.data(), bytes_.size() - 1);
  }
  const char* c_str() const { return bytes_.empty() ? "" : bytes_.data(); }

 private:
  void Wipe();

  std::vector<char> bytes_;
};

struct SecretFile {
  Secret content;
  // Users outside the file's owner and group may read or write it.
  bool open_to_others = false;
};

// Reads a file of at most 1 MiB. `option` is the command-line option that named it, for errors:
// NOT_FOUND, PERMISSION_DENIED, or INVALID_ARGUMENT for what is no such file of text.
absl::StatusOr<SecretFile> ReadSecretFile(const std::string& path, const std::string& option);

}  // namespace bitplex
