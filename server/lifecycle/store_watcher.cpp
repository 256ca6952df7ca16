#include "server/lifecycle/store_watcher.h"

#include <optional>
#include <utility>

namespace bitplex {

StoreWatcher::StoreWatcher(const std::string& path, const FileIdentity& known,
                           std::chrono::milliseconds interval, std::chrono::milliseconds retry,
                           std::function<bool()> changed)
    : path_(path), known_(known), interval_(interval), retry_(retry), changed_(std::move(changed)) {
  thread_ = std::thread(&StoreWatcher::Watch, this);
}

StoreWatcher::~StoreWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

void StoreWatcher::Watch() {
  using Clock = std::chrono::steady_clock;
  std::optional<FileIdentity> last = known_;
  std::optional<Clock::time_point> again;
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, interval_, [this] { return stopping_; })) {
    const std::optional<FileIdentity> now = IdentityOf(path_);
    const bool settled = now == last;
    last = now;
    if (!settled || !now) continue;
    if (*now == known_ && !(again && Clock::now() >= *again)) continue;
    known_ = *now;
    lock.unlock();
    const bool done = changed_();
    lock.lock();
    again = done ? std::nullopt : std::optional(Clock::now() + retry_);
  }
}

}  // namespace bitplex
