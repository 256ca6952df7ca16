// What the kernel says this process holds. Linux: /proc/self/smaps and smaps_rollup.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitplex {

struct ProcessMemory {
  uint64_t rss_bytes = 0;
  uint64_t private_dirty_bytes = 0;
};

// Zeros where the kernel does not tell.
ProcessMemory ReadProcessMemory();

// Resident bytes of the mapping that begins at `start`; 0 when there is none.
uint64_t ReadResidentBytes(const void* start);

}  // namespace bitplex
