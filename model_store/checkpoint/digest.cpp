#include "model_store/checkpoint/digest.h"

#include <openssl/evp.h>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model_store/util/mapped_file.h"

namespace bitplex::checkpoint {

absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes) {
  std::array<char, EVP_MAX_MD_SIZE> digest;
  unsigned int digest_bytes = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &digest_bytes, EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("OpenSSL offers no SHA-256 in this process");
  }
  return absl::BytesToHexString(absl::string_view(digest.data(), digest_bytes));
}

absl::StatusOr<std::string> FileSha256(const std::string& path) {
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) {
    return absl::Status(file.status().code(), absl::StrCat(path, ": ", file.status().message()));
  }
  return Sha256(file->contents());
}

}  // namespace bitplex::checkpoint
