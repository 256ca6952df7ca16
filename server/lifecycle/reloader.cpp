#include "server/lifecycle/reloader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "absl/strings/str_join.h"
#include "server/app/log.h"

namespace bitplex {
namespace {

std::vector<std::string> Without(std::vector<std::string> names, std::vector<std::string> others) {
  std::sort(names.begin(), names.end());
  std::sort(others.begin(), others.end());
  std::vector<std::string> left;
  std::set_difference(names.begin(), names.end(), others.begin(), others.end(),
                      std::back_inserter(left));
  return left;
}

std::string VersionOf(const ServableSet& set) {
  return set.store == nullptr ? "" : set.store->id();
}

// A store that was damaged under the server is loaded anew, though the file may be whole again.
bool IsServed(const ServableSet& found, const ServableSet& served) {
  return found.store != nullptr && served.store != nullptr &&
         found.store->id() == served.store->id() && served.Unchanged();
}

}  // namespace

absl::StatusOr<ReloadResult> Reloader::Reload(std::string_view reason) {
  std::unique_lock lock(mutex_);
  // One that runs already may have read the files before they were what the caller means.
  const uint64_t wanted = started_ + 1;
  changed_.wait(lock, [&] { return started_ == ended_ || ended_ >= wanted; });
  if (ended_ >= wanted) return last_;
  ++started_;
  lock.unlock();
  absl::StatusOr<ReloadResult> result = Run(reason);
  lock.lock();
  ended_ = started_;
  last_ = result;
  changed_.notify_all();
  return result;
}

absl::StatusOr<ReloadResult> Reloader::Run(std::string_view reason) {
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<ReloadResult> result = Swap();
  if (!result.ok()) {
    ++failed_;
    const bool damaged = !host_.Current()->set().Unchanged();
    spdlog::error(
        "reload_failed reason={} error={} remedy={}", Quoted(reason),
        Quoted(std::string(result.status().message())),
        Quoted(damaged ? "what was served before is damaged; put a whole store in its place"
                       : "what was served before still is; mend the file and reload"));
    return result;
  }
  ++done_;
  last_done_seconds_ = std::chrono::duration_cast<std::chrono::seconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  spdlog::info("reloaded reason={} changed={} version={} previous={} added={} removed={} ms={:.0f}",
               Quoted(reason), result->changed, Quoted(result->version),
               Quoted(result->previous_version), Quoted(absl::StrJoin(result->added, ",")),
               Quoted(absl::StrJoin(result->removed, ",")), took.count());
  return result;
}

absl::StatusOr<ReloadResult> Reloader::Swap() {
  const absl::Status stopping =
      absl::UnavailableError("the server is stopping; nothing was reloaded");
  if (host_.draining()) return stopping;
  absl::StatusOr<std::unique_ptr<Engine>> next = factory_.Make();
  if (!next.ok()) return next.status();
  const std::shared_ptr<Engine> served = host_.Current();
  ReloadResult result;
  result.previous_version = VersionOf(served->set());
  result.version = VersionOf((*next)->set());
  if (IsServed((*next)->set(), served->set())) return result;
  if (host_.draining()) return stopping;
  if (absl::Status status = (*next)->WarmUp(); !status.ok()) return status;
  const std::vector<std::string> names = TaskNames((*next)->set());
  const std::vector<std::string> previous = TaskNames(served->set());
  if (!host_.Replace(*std::move(next))) return stopping;
  result.changed = true;
  result.added = Without(names, previous);
  result.removed = Without(previous, names);
  swapped_(names);
  return result;
}

ReloadCounts Reloader::counts() const { return {done_, failed_, last_done_seconds_}; }

}  // namespace bitplex
