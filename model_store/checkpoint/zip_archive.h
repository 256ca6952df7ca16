// The entries of a zip file in memory, read through libzip.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

struct zip;

namespace bitplex::checkpoint {

// Not thread-safe. Reads only entries that are stored plainly, as PyTorch writes them: none can be
// larger than the file.
class ZipArchive {
 public:
  // `file` must outlive the archive. DATA_LOSS when it is not a whole zip file.
  static absl::StatusOr<std::unique_ptr<ZipArchive>> Open(absl::Span<const uint8_t> file);

  // Name to index, for Read.
  const std::map<std::string, uint64_t, std::less<>>& entries() const { return entries_; }

  // Bytes of an entry when unpacked. DATA_LOSS when the entry is damaged, INVALID_ARGUMENT when it
  // is compressed or encrypted.
  absl::StatusOr<uint64_t> Size(uint64_t index) const;

  // An entry's bytes, after their checksum was found right. Errors as for Size.
  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t index) const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  ZipArchive(zip* archive, size_t file_bytes) : archive_(archive), file_bytes_(file_bytes) {}

  std::unique_ptr<zip, Close> archive_;
  size_t file_bytes_;
  std::map<std::string, uint64_t, std::less<>> entries_;
};

}  // namespace bitplex::checkpoint
