#include "server/memory/memory_limit.h"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace bitplex {
namespace {

constexpr char kUnified[] = "0::";  // Begins the line of version 2's only hierarchy.

std::string OwnGroup(const std::string& own_groups) {
  std::ifstream file(own_groups);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kUnified)) return line.substr(sizeof(kUnified) - 1);
  }
  return "";
}

// A number; "max" for none.
std::optional<uint64_t> ReadLimit(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  file >> text;
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<uint64_t> ReadMemoryLimit(const std::string& own_groups, const std::string& root) {
  std::optional<uint64_t> lowest;
  std::string group = OwnGroup(own_groups);
  while (true) {
    if (const std::optional<uint64_t> limit = ReadLimit(root + group + "/memory.max")) {
      lowest = std::min(limit.value(), lowest.value_or(*limit));
    }
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return lowest;
    group.resize(slash);
  }
}

}  // namespace bitplex
