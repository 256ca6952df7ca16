#include "model_store/format/container.h"

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex::format {
namespace {

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(
      absl::StrCat(what, "; make the store again with `bitplex fuse`, or copy it again"));
}

absl::Status NotAStore() {
  return absl::DataLossError("not a Bitplex store: it does not begin with the store's magic bytes");
}

// Walks the file in the order of its sections, so that no two overlap and nothing lies between.
class Walker {
 public:
  explicit Walker(absl::Span<const uint8_t> file) : file_(file) {}

  absl::Status Skip(uint64_t offset, uint64_t bytes, const std::string& what) {
    if (offset != AlignUp(at_)) {
      return Damaged(absl::StrCat(what, " should begin at byte ", AlignUp(at_), ", not ", offset));
    }
    if (offset > file_.size() || bytes > file_.size() - offset) {
      return Damaged(absl::StrCat(what, " (", bytes, " bytes from byte ", offset,
                                  ") reaches past the end of the file"));
    }
    for (uint64_t i = at_; i < offset; ++i) {
      if (file_[i] != 0)
        return Damaged(absl::StrCat("byte ", i, ", between sections, is not zero"));
    }
    at_ = offset + bytes;
    return absl::OkStatus();
  }

  absl::Status SkipChecked(uint64_t offset, uint64_t bytes, uint64_t checksum,
                           const std::string& what) {
    if (absl::Status status = Skip(offset, bytes, what); !status.ok()) return status;
    if (Checksum(file_.data() + offset, bytes) != checksum) {
      return Damaged(absl::StrCat("checksum of ", what, " (", bytes, " bytes from byte ", offset,
                                  ") does not match: its content was changed"));
    }
    return absl::OkStatus();
  }

  uint64_t at() const { return at_; }

 private:
  absl::Span<const uint8_t> file_;
  uint64_t at_ = 0;
};

absl::Status ReadHeader(absl::Span<const uint8_t> file, Header& header) {
  if (file.size() < sizeof(kMagic) || std::memcmp(file.data(), kMagic, sizeof(kMagic)) != 0) {
    return NotAStore();
  }
  if (file.size() < sizeof(Header)) {
    return Damaged(absl::StrCat("the file has ", file.size(), " bytes, less than a header"));
  }
  std::memcpy(&header, file.data(), sizeof(header));
  if (header.version > kVersion) {
    return absl::UnimplementedError(absl::StrCat("the store has format version ", header.version,
                                                 ", this build reads ", kVersion,
                                                 "; use a newer Bitplex"));
  }
  if (Checksum(&header, offsetof(Header, header_checksum)) != header.header_checksum) {
    return Damaged(
        "checksum of the header (bytes 0 to 119) does not match: its content was changed");
  }
  if (header.version != kVersion || header.header_bytes != sizeof(Header)) {
    return Damaged(absl::StrCat("the header claims version ", header.version, " and ",
                                header.header_bytes, " bytes; version 1 has ", sizeof(Header)));
  }
  if (header.file_bytes != file.size()) {
    return Damaged(absl::StrCat("the file has ", file.size(), " bytes, its header says ",
                                header.file_bytes, ": it was ",
                                file.size() < header.file_bytes ? "truncated" : "extended"));
  }
  const auto* reserved = header.reserved;
  if (std::any_of(reserved, reserved + sizeof(header.reserved), [](uint8_t b) { return b != 0; })) {
    return Damaged("reserved bytes of the header are not zero");
  }
  if (header.metadata_bytes > kMaxMetadataBytes || header.record_count > kMaxRecords ||
      header.task_count == 0 || header.task_count > kMaxTasks) {
    return Damaged(absl::StrCat(
        "the header's counts are beyond the limits: ", header.metadata_bytes, " metadata bytes, ",
        header.record_count, " records, ", header.task_count, " tasks"));
  }
  return absl::OkStatus();
}

absl::Status CheckRecord(const Record& record, uint32_t task_count, size_t index) {
  const auto bad = [&](const char* what) {
    return Damaged(absl::StrCat("record ", index, ": ", what));
  };
  if (record.name[0] == 0 || std::memchr(record.name, 0, sizeof(record.name)) == nullptr) {
    return bad("the name is empty or does not end");
  }
  const uint32_t kind = static_cast<uint32_t>(record.kind);
  if (kind < 1 || kind > 4) return bad("the kind is unknown");
  const bool shared = record.kind == Kind::kWords;
  if (shared ? record.task != kAllTasks : record.task >= task_count)
    return bad("there is no such task");
  if (record.rank < 1 || record.rank > 4) return bad("the rank is not 1 to 4");
  const auto* reserved = record.reserved;
  if (std::any_of(reserved, reserved + sizeof(record.reserved), [](uint8_t b) { return b != 0; })) {
    return bad("reserved bytes are not zero");
  }
  return absl::OkStatus();
}

}  // namespace

std::string Describe(const Record& record) {
  static constexpr const char* kNames[] = {"words", "signs", "exponents", "values"};
  const uint32_t kind = static_cast<uint32_t>(record.kind);
  const char* const name = kind >= 1 && kind <= 4 ? kNames[kind - 1] : "section";
  if (record.task == kAllTasks) return absl::StrCat(name, ", ", record.name);
  return absl::StrCat(name, " of task ", record.task, ", ", record.name);
}

absl::StatusOr<Container> ReadContainer(absl::Span<const uint8_t> file) {
  Container container;
  Header& header = container.header;
  if (absl::Status status = ReadHeader(file, header); !status.ok()) return status;
  Walker walker(file);
  absl::Status status = walker.Skip(0, sizeof(Header), "the header");
  if (!status.ok()) return status;
  status = walker.SkipChecked(header.metadata_offset, header.metadata_bytes,
                              header.metadata_checksum, "the metadata");
  if (!status.ok()) return status;
  const uint64_t records_bytes = uint64_t{header.record_count} * sizeof(Record);
  status = walker.SkipChecked(header.records_offset, records_bytes, header.records_checksum,
                              "the records");
  if (!status.ok()) return status;
  container.metadata = {reinterpret_cast<const char*>(file.data()) + header.metadata_offset,
                        header.metadata_bytes};
  container.records.resize(header.record_count);
  if (records_bytes > 0) {
    std::memcpy(container.records.data(), file.data() + header.records_offset, records_bytes);
  }
  for (size_t i = 0; i < container.records.size(); ++i) {
    const Record& record = container.records[i];
    status = CheckRecord(record, header.task_count, i);
    if (!status.ok()) return status;
    status = walker.SkipChecked(record.offset, record.bytes, record.checksum, Describe(record));
    if (!status.ok()) return status;
  }
  if (walker.at() != file.size()) {
    return Damaged(
        absl::StrCat("the file goes on after its last section, from byte ", walker.at()));
  }
  return container;
}

}  // namespace bitplex::format
