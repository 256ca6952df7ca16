#include "model_store/checkpoint/digest.h"

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model_store/util/mapped_file.h"
#include "model_store/util/sha256.h"

namespace bitplex::checkpoint {

absl::StatusOr<std::string> Sha256(absl::Span<const uint8_t> bytes) {
  const absl::StatusOr<Sha256Digest> digest =
      bitplex::Sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!digest.ok()) return digest.status();
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest->data()), digest->size()));
}

absl::StatusOr<std::string> FileSha256(const std::string& path) {
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) {
    return absl::Status(file.status().code(), absl::StrCat(path, ": ", file.status().message()));
  }
  return Sha256(file->contents());
}

}  // namespace bitplex::checkpoint
