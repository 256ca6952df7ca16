// What serving costs in memory, and what fusing saves. Bytes everywhere; nothing is clamped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/memory/process_memory.h"
#include "server/model/servable.h"
#include "server/serving/view_cache.h"

namespace bitplex {

struct TaskMemory {
  std::string name;
  uint64_t float32_model_bytes = 0;  // What its own network would hold.
  uint64_t half_model_bytes = 0;
  uint64_t store_bytes = 0;  // Its part of the store.
  uint64_t materialized_bytes = 0;
  std::string materialized_type;
};

struct Saving {
  uint64_t held_bytes = 0;
  uint64_t separate_float32_bytes = 0;
  uint64_t separate_half_bytes = 0;
  // Negative when more is held than that.
  int64_t vs_float32() const { return static_cast<int64_t>(separate_float32_bytes - held_bytes); }
  int64_t vs_half() const { return static_cast<int64_t>(separate_half_bytes - held_bytes); }
};

struct MemoryReport {
  std::vector<TaskMemory> tasks;
  uint64_t store_mapped_bytes = 0;
  uint64_t store_resident_bytes = 0;
  uint64_t view_bytes = 0;
  uint64_t scratch_bytes = 0;
  ProcessMemory process;
  uint64_t baseline_rss_bytes = 0;
  Saving at_rest;  // The store file, or the plain models.
  Saving now;      // Store mapped + views + scratch.
  ViewCacheStats views;
};

// `baseline_rss_bytes`: RSS before the first weight was touched.
MemoryReport MakeMemoryReport(const ServableSet& set, const ViewCache& views,
                              uint64_t scratch_bytes, uint64_t baseline_rss_bytes);

}  // namespace bitplex
