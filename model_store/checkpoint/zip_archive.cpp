#include "model_store/checkpoint/zip_archive.h"

#include <zip.h>

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {
namespace {

absl::Status ZipFault(std::string_view fault) {
  return absl::DataLossError(
      absl::StrCat("the zip file is damaged or cut short: ", std::string(fault)));
}

absl::Status EntryFault(std::string_view name, std::string_view fault) {
  return absl::DataLossError(
      absl::StrCat("entry ", Printable(name), " of the zip file is damaged: ", std::string(fault)));
}

struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

}  // namespace

// Discard, not close: nothing may be written back.
void ZipArchive::Close::operator()(zip* archive) const { zip_discard(archive); }

absl::StatusOr<std::unique_ptr<ZipArchive>> ZipArchive::Open(absl::Span<const uint8_t> file) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(file.data(), file.size(), /*freep=*/0, &error);
  zip* handle = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
  const std::string fault = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (handle == nullptr) {
    zip_source_free(source);  // An archive that opened owns it.
    return ZipFault(fault);
  }
  std::unique_ptr<ZipArchive> archive(new ZipArchive(handle, file.size()));
  const zip_int64_t count = zip_get_num_entries(handle, 0);
  for (zip_int64_t index = 0; index < count; ++index) {
    // RAW: PyTorch looks names up by their bytes, whatever encoding the zip file claims.
    const char* name = zip_get_name(handle, static_cast<zip_uint64_t>(index), ZIP_FL_ENC_RAW);
    if (name == nullptr) return ZipFault(zip_strerror(handle));
    if (!archive->entries_.emplace(name, index).second) {
      return absl::DataLossError(
          absl::StrCat("the zip file holds entry ", Printable(name), " twice; save it again"));
    }
  }
  return archive;
}

absl::StatusOr<uint64_t> ZipArchive::Size(uint64_t index) const {
  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(archive_.get(), index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
    return EntryFault(absl::StrCat("number ", index), "its record is incomplete");
  }
  if (stat.comp_method != ZIP_CM_STORE || stat.encryption_method != ZIP_EM_NONE) {
    return absl::InvalidArgumentError(absl::StrCat(
        "entry ", Printable(stat.name),
        " of the zip file is compressed or encrypted, which PyTorch never does; save it again with "
        "torch.save"));
  }
  if (stat.size > file_bytes_) {
    return EntryFault(stat.name, absl::StrCat("it claims ", stat.size,
                                              " bytes, the whole file has ", file_bytes_));
  }
  return stat.size;
}

absl::StatusOr<std::vector<uint8_t>> ZipArchive::Read(uint64_t index) const {
  const absl::StatusOr<uint64_t> size = Size(index);
  if (!size.ok()) return size.status();
  const std::string_view name = zip_get_name(archive_.get(), index, ZIP_FL_ENC_RAW);
  const std::unique_ptr<zip_file_t, CloseEntry> entry(zip_fopen_index(archive_.get(), index, 0));
  if (entry == nullptr) return EntryFault(name, zip_strerror(archive_.get()));

  std::vector<uint8_t> bytes(*size);
  uint64_t done = 0;
  // One read beyond the end: libzip compares the checksum when it meets the end.
  for (bool at_end = false; !at_end;) {
    uint8_t beyond;
    const bool full = done == *size;
    const zip_int64_t got =
        zip_fread(entry.get(), full ? &beyond : bytes.data() + done, full ? 1 : *size - done);
    if (got < 0) return EntryFault(name, zip_file_strerror(entry.get()));
    if (got > 0 && full) return EntryFault(name, "it is longer than its record says");
    if (got == 0 && !full) return EntryFault(name, "it is shorter than its record says");
    done += static_cast<uint64_t>(got);
    at_end = got == 0;
  }
  return bytes;
}

}  // namespace bitplex::checkpoint
