// Replaces a file in one step.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace bitplex {

// A file without a name in the folder of `path`, until Commit gives it that one: when the process
// is killed, nothing is left of it, but for an instant in Commit. Where the file system has no such
// files, one under a temporary name, removed when it is destroyed without a Commit. Not
// thread-safe.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Errors name the path and the system's reason.
  absl::Status Open();
  absl::Status Write(const void* data, size_t bytes);
  absl::Status Commit();  // Syncs, renames, syncs the folder.

 private:
  absl::Status OpenNamed();
  absl::Status GiveTemporaryName();
  absl::Status Failed(const char* action) const;

  const std::string path_;
  std::string temporary_;  // Empty: it has no name.
  int fd_ = -1;
};

}  // namespace bitplex
