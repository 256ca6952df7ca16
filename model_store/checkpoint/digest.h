// What names a file's exact content.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex::checkpoint {

// SHA-256 as lower-case hexadecimal.
absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes);
// Of a whole file; errors name it.
absl::StatusOr<std::string> FileSha256(const std::string& path);

}  // namespace bitplex::checkpoint
