// The bytes of a file, mapped read-only, and their digest.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex::checkpoint {

// Owns a mapping; movable. The file must not be shortened while it is mapped.
class InputFile {
 public:
  // NOT_FOUND or PERMISSION_DENIED as the system says; INVALID_ARGUMENT for anything but a regular
  // file; DATA_LOSS for an empty one. Never blocks on a pipe.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  absl::Span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  InputFile(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// SHA-256 as lower-case hexadecimal.
absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes);

}  // namespace bitplex::checkpoint
