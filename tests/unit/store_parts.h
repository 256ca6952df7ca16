// A store taken apart and put together again, to make bad ones with right checksums.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model_store/format/layout.h"

namespace bitplex::test {

using Bytes = std::vector<uint8_t>;

// Changes the header in place and makes its checksum right again.
inline void EditHeader(Bytes& file, const std::function<void(format::Header&)>& edit) {
  format::Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  edit(header);
  header.header_checksum = format::Checksum(&header, offsetof(format::Header, header_checksum));
  std::memcpy(file.data(), &header, sizeof(header));
}

// A store taken apart, to be put together again with every offset, size and checksum right.
struct Parts {
  format::Header header{};
  std::string metadata;
  std::vector<format::Record> records;
  std::vector<Bytes> sections;

  explicit Parts(const Bytes& file) {
    std::memcpy(&header, file.data(), sizeof(header));
    metadata.assign(reinterpret_cast<const char*>(file.data()) + header.metadata_offset,
                    header.metadata_bytes);
    records.resize(header.record_count);
    std::memcpy(records.data(), file.data() + header.records_offset,
                records.size() * sizeof(format::Record));
    for (const format::Record& record : records) {
      const auto begin = file.begin() + static_cast<std::ptrdiff_t>(record.offset);
      sections.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(record.bytes));
    }
  }

  size_t Index(format::Kind kind, uint32_t task, std::string_view name) const {
    for (size_t i = 0; i < records.size(); ++i) {
      if (records[i].kind == kind && records[i].task == task && records[i].name == name) return i;
    }
    ADD_FAILURE() << "no such record";
    return 0;
  }
  format::Record& Find(format::Kind kind, uint32_t task, std::string_view name) {
    return records[Index(kind, task, name)];
  }
  Bytes& Section(format::Kind kind, uint32_t task, std::string_view name) {
    return sections[Index(kind, task, name)];
  }

  // `edit` may change a record after its offset, size and checksum are set.
  Bytes File(const std::function<void(std::vector<format::Record>&)>& edit = nullptr) const {
    format::Header head = header;
    head.metadata_bytes = metadata.size();
    head.metadata_checksum = format::Checksum(metadata.data(), metadata.size());
    head.records_offset = Aligned(128 + metadata.size());
    head.record_count = static_cast<uint32_t>(records.size());
    std::vector<format::Record> placed = records;
    uint64_t end = head.records_offset + placed.size() * sizeof(format::Record);
    for (size_t i = 0; i < placed.size(); ++i) {
      placed[i].offset = Aligned(end);
      placed[i].bytes = sections[i].size();
      placed[i].checksum = format::Checksum(sections[i].data(), sections[i].size());
      end = placed[i].offset + placed[i].bytes;
    }
    head.file_bytes = end;
    Bytes file(end);
    for (size_t i = 0; i < placed.size(); ++i) {
      std::copy(sections[i].begin(), sections[i].end(),
                file.begin() + static_cast<std::ptrdiff_t>(placed[i].offset));
    }
    if (edit) edit(placed);
    head.records_checksum = format::Checksum(placed.data(), placed.size() * sizeof(format::Record));
    std::copy(metadata.begin(), metadata.end(), file.begin() + 128);
    if (!placed.empty()) {  // memcpy takes no null pointer.
      std::memcpy(file.data() + head.records_offset, placed.data(),
                  placed.size() * sizeof(format::Record));
    }
    EditHeader(file, [&](format::Header& out) { out = head; });
    return file;
  }

 private:
  static uint64_t Aligned(uint64_t at) { return (at + 63) / 64 * 64; }
};

}  // namespace bitplex::test
