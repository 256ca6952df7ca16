#include "model_store/format/store_writer.h"

#include <algorithm>
#include <cstring>

#include "model_store/util/atomic_file.h"

namespace bitplex {
namespace {

using format::AlignUp;

// Pads with zeros up to `offset`, then writes.
class SectionWriter {
 public:
  explicit SectionWriter(AtomicFile& file) : file_(file) {}
  absl::Status WriteAt(uint64_t offset, const void* data, size_t bytes) {
    static constexpr char kZeros[format::kAlignment] = {};
    if (absl::Status status = file_.Write(kZeros, offset - at_); !status.ok()) return status;
    at_ = offset + bytes;
    return file_.Write(data, bytes);
  }

 private:
  AtomicFile& file_;
  uint64_t at_ = 0;
};

}  // namespace

format::Record MakeRecord(const std::string& name, format::Kind kind, uint32_t task,
                          const std::vector<size_t>& dims) {
  format::Record record{};
  std::memcpy(record.name, name.data(), std::min(name.size(), sizeof(record.name) - 1));
  record.kind = kind;
  record.task = task;
  record.rank = static_cast<uint32_t>(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) record.dims[i] = static_cast<uint32_t>(dims[i]);
  return record;
}

absl::Status WriteStore(const std::string& path, const StoreMetadata& metadata,
                        std::vector<StoreSection> sections) {
  const std::string json = MetadataToJson(metadata);
  format::Header header{};
  std::memcpy(header.magic, format::kMagic, sizeof(header.magic));
  header.version = format::kVersion;
  header.header_bytes = sizeof(header);
  header.task_count = static_cast<uint32_t>(metadata.tasks.size());
  header.metadata_offset = AlignUp(sizeof(header));
  header.metadata_bytes = json.size();
  header.metadata_checksum = format::Checksum(json.data(), json.size());
  header.records_offset = AlignUp(header.metadata_offset + header.metadata_bytes);
  header.record_count = static_cast<uint32_t>(sections.size());
  uint64_t end = header.records_offset + sections.size() * sizeof(format::Record);
  std::vector<format::Record> records;
  for (StoreSection& section : sections) {
    section.record.offset = AlignUp(end);
    section.record.bytes = section.data.size();
    section.record.checksum = format::Checksum(section.data.data(), section.data.size());
    end = section.record.offset + section.record.bytes;
    records.push_back(section.record);
  }
  header.file_bytes = end;
  header.records_checksum =
      format::Checksum(records.data(), records.size() * sizeof(format::Record));
  header.header_checksum = format::Checksum(&header, offsetof(format::Header, header_checksum));

  AtomicFile file(path);
  SectionWriter writer(file);
  absl::Status status = file.Open();
  if (status.ok()) status = writer.WriteAt(0, &header, sizeof(header));
  if (status.ok()) status = writer.WriteAt(header.metadata_offset, json.data(), json.size());
  if (status.ok()) {
    status =
        writer.WriteAt(header.records_offset, records.data(), records.size() * sizeof(records[0]));
  }
  for (const StoreSection& section : sections) {
    if (!status.ok()) return status;
    status = writer.WriteAt(section.record.offset, section.data.data(), section.data.size());
  }
  return status.ok() ? file.Commit() : status;
}

}  // namespace bitplex
