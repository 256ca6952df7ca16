// A store's checksums, and the length in its header, made good: else they hide everything behind
// them from random changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "model_store/format/layout.h"

namespace bitplex::fuzz {

inline bool Inside(absl::Span<const uint8_t> file, uint64_t offset, uint64_t bytes) {
  return offset <= file.size() && bytes <= file.size() - offset;
}

inline void MendStore(absl::Span<uint8_t> file) {
  format::Header header;
  if (file.size() < sizeof(header)) return;
  std::memcpy(&header, file.data(), sizeof(header));
  header.file_bytes = file.size();
  const uint64_t records_bytes = uint64_t{header.record_count} * sizeof(format::Record);
  if (Inside(file, header.records_offset, records_bytes)) {
    uint8_t* const records = file.data() + header.records_offset;
    for (uint32_t i = 0; i < header.record_count; ++i) {
      format::Record record;
      std::memcpy(&record, records + i * sizeof(record), sizeof(record));
      if (Inside(file, record.offset, record.bytes))
        record.checksum = format::Checksum(file.data() + record.offset, record.bytes);
      std::memcpy(records + i * sizeof(record), &record, sizeof(record));
    }
    header.records_checksum = format::Checksum(records, records_bytes);
  }
  if (Inside(file, header.metadata_offset, header.metadata_bytes)) {
    header.metadata_checksum =
        format::Checksum(file.data() + header.metadata_offset, header.metadata_bytes);
  }
  header.header_checksum = format::Checksum(&header, offsetof(format::Header, header_checksum));
  std::memcpy(file.data(), &header, sizeof(header));
}

}  // namespace bitplex::fuzz
