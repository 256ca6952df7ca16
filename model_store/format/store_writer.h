// Writes a store file: whole, or not at all.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model_store/format/layout.h"
#include "model_store/format/task_info.h"

namespace bitplex {

// One section and its record; the writer fills in offset, bytes and checksum.
struct StoreSection {
  format::Record record{};
  std::vector<uint8_t> data;
};

// A record with these fields set and all others zero. `name` has at most 47 bytes.
format::Record MakeRecord(const std::string& name, format::Kind kind, uint32_t task,
                          const std::vector<size_t>& dims);

// Writes to a temporary file beside `path`, syncs it and renames it over `path`, so that after a
// crash at any moment `path` is the old file or the new one. On an error (a full disk, a folder
// that is not there) the temporary file is removed and `path` is as before.
absl::Status WriteStore(const std::string& path, const StoreMetadata& metadata,
                        std::vector<StoreSection> sections);

}  // namespace bitplex
