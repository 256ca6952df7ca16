#include "server/memory/process_memory.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace bitplex {
namespace {

// The value of a line "Key:   123 kB", or 0 when it is another key's.
uint64_t KilobyteLine(const std::string& line, const char* key) {
  const size_t length = std::char_traits<char>::length(key);
  if (line.compare(0, length, key) != 0) return 0;
  return std::strtoull(line.c_str() + length, nullptr, 10) * 1024;
}

}  // namespace

ProcessMemory ReadProcessMemory() {
  ProcessMemory memory;
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    memory.rss_bytes += KilobyteLine(line, "Rss:");
    memory.private_dirty_bytes += KilobyteLine(line, "Private_Dirty:");
  }
  return memory;
}

uint64_t ReadResidentBytes(const void* start) {
  char prefix[32];
  std::snprintf(prefix, sizeof(prefix), "%" PRIxPTR "-", reinterpret_cast<uintptr_t>(start));
  std::ifstream file("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(prefix, 0) == 0) inside = true;
    if (!inside) continue;
    if (const uint64_t bytes = KilobyteLine(line, "Rss:"); bytes != 0) return bytes;
    if (line.rfind("VmFlags:", 0) == 0) return 0;
  }
  return 0;
}

}  // namespace bitplex
