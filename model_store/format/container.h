// The outer form of a store file: header, metadata, records, sections, checksums. Knows nothing of
// networks.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/format/layout.h"

namespace bitplex::format {

struct Container {
  Header header;
  std::string_view metadata;    // Points into the file.
  std::vector<Record> records;  // In the order of their sections, which lie one behind the other.
};

// Checks the outer form whole: magic, version, every length and offset, every checksum, and that
// all bytes between the sections are zero, so that no byte of the file can change unseen. DATA_LOSS
// says what is wrong and at which byte; UNIMPLEMENTED names both versions.
absl::StatusOr<Container> ReadContainer(absl::Span<const uint8_t> file);

// "signs of task 1, layer1.0.conv1.weight".
std::string Describe(const Record& record);

}  // namespace bitplex::format
