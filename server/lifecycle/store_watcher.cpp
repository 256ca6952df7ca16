#include "server/lifecycle/store_watcher.h"

#include <optional>
#include <utility>

namespace bitplex {

StoreWatcher::StoreWatcher(const std::string& path, const FileIdentity& known,
                           std::chrono::milliseconds interval, std::function<void()> changed)
    : path_(path), known_(known), interval_(interval), changed_(std::move(changed)) {
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
  std::optional<FileIdentity> last = known_;
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, interval_, [this] { return stopping_; })) {
    const std::optional<FileIdentity> now = IdentityOf(path_);
    const bool settled = now == last;
    last = now;
    if (!settled || !now || *now == known_) continue;
    known_ = *now;
    lock.unlock();
    changed_();
    lock.lock();
  }
}

}  // namespace bitplex
