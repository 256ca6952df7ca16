// Replaces what is served by what the files hold now, while calls are under way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/lifecycle/engine_factory.h"
#include "server/serving/model_host.h"

namespace bitplex {

struct ReloadResult {
  bool changed = false;  // False: the files hold what is served already.
  std::string previous_version;
  std::string version;  // As of now. Both are empty for separate models.
  std::vector<std::string> added;
  std::vector<std::string> removed;
};

struct ReloadCounts {
  uint64_t done = 0;  // Those that found nothing new included.
  uint64_t failed = 0;
  int64_t last_done_seconds = 0;  // Unix time; 0: never.
};

// Thread-safe. One reload runs at a time. All those that are asked for meanwhile are done by one
// that follows it.
class Reloader {
 public:
  // `swapped` is told of the tasks after every swap. All must outlive the reloader.
  Reloader(const EngineFactory& factory, ModelHost& host,
           std::function<void(const std::vector<std::string>&)> swapped)
      : factory_(factory), host_(host), swapped_(std::move(swapped)) {}

  // Opens and validates the files, prepares and warms the networks, and swaps: calls that came
  // before are answered by the weights that they met, those that come after by the new ones. On any
  // error what is served stays, and the error says why; UNAVAILABLE when the server is stopping.
  // Logs either. Meanwhile the process holds two sets of views, each within the budget; a
  // replaced engine keeps its own until its last call is over.
  // Takes as long as a start does: for seconds with large stores.
  absl::StatusOr<ReloadResult> Reload(std::string_view reason);

  ReloadCounts counts() const;

 private:
  absl::StatusOr<ReloadResult> Run(std::string_view reason);
  absl::StatusOr<ReloadResult> Swap();

  const EngineFactory& factory_;
  ModelHost& host_;
  const std::function<void(const std::vector<std::string>&)> swapped_;
  std::mutex mutex_;  // Guards what follows, until the counts.
  std::condition_variable changed_;
  uint64_t started_ = 0;
  uint64_t ended_ = 0;                                  // One less than started_ while one runs.
  absl::StatusOr<ReloadResult> last_ = ReloadResult{};  // Of the reload that ended last.
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> failed_{0};
  std::atomic<int64_t> last_done_seconds_{0};
};

}  // namespace bitplex
