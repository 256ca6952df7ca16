// What tells a file from another, and from itself after a change.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace bitplex {

struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t bytes = 0;
  int64_t modified_ns = 0;  // Since 1970; the resolution is the file system's.

  bool operator==(const FileIdentity&) const = default;
};

inline FileIdentity ToIdentity(const struct stat& info) {
  return {info.st_dev, info.st_ino, info.st_size,
          int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// Of the file at `path`, links followed. Nothing when there is none, or it cannot be looked at.
inline std::optional<FileIdentity> IdentityOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return ToIdentity(info);
}

}  // namespace bitplex
