// SHA-256, by OpenSSL.
#pragma once

#include <array>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplex {

using Sha256Digest = std::array<unsigned char, 32>;

// INTERNAL when OpenSSL has none.
absl::StatusOr<Sha256Digest> Sha256(std::string_view bytes);

}  // namespace bitplex
