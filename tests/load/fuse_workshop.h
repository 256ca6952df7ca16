// A folder with the checkpoints of two stores, and one place for the store that the tool makes of
// either.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/service/child_process.h"

namespace bitplex::load {

// Removed, with all that is in it, when it is destroyed. Not thread-safe.
class FuseWorkshop {
 public:
  FuseWorkshop();  // store() is number 0.
  ~FuseWorkshop();
  FuseWorkshop(const FuseWorkshop&) = delete;
  FuseWorkshop& operator=(const FuseWorkshop&) = delete;

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string store() const { return Path("store.bpx"); }
  // The command line that makes store 0 or 1, at store() or another path.
  std::vector<std::string> FuseArguments(size_t which, const std::string& out = "") const;
  // Runs it to its end; aborts when it fails.
  void Fuse(size_t which) const;

  // Which of the two store() is, to the byte; none: neither.
  std::optional<size_t> Which() const;
  // Files that the tool leaves beside the store while it writes, or when it is killed.
  std::vector<std::string> LeftOvers() const;

 private:
  const std::string folder_;
  std::array<std::vector<uint8_t>, 2> stores_;
};

}  // namespace bitplex::load
