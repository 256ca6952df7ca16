#include "model_store/util/sha256.h"

#include <openssl/evp.h>

#include "absl/status/status.h"

namespace bitplex {

absl::StatusOr<Sha256Digest> Sha256(std::string_view bytes) {
  Sha256Digest digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("OpenSSL offers no SHA-256 in this process");
  }
  return digest;
}

}  // namespace bitplex
