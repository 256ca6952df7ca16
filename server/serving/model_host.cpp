#include "server/serving/model_host.h"

#include <malloc.h>

#include <utility>

namespace bitplex {

ModelHost::ModelHost(std::unique_ptr<Engine> engine) {
  current_ = Lease(std::move(engine));  // Counts, so not before the members are there.
  destroyer_ = std::thread(&ModelHost::DestroyRetired, this);
}

ModelHost::~ModelHost() {
  Drain();
  {
    const std::shared_ptr<Engine> last = [this] {
      const std::lock_guard lock(mutex_);
      return std::exchange(current_, nullptr);
    }();
  }
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  destroyer_.join();
}

// The last of an engine's leases may be given back by one of its own workers, which could not wait
// for itself to end.
std::shared_ptr<Engine> ModelHost::Lease(std::unique_ptr<Engine> engine) {
  ++alive_;
  return std::shared_ptr<Engine>(engine.release(), [this](Engine* last) { Retire(last); });
}

void ModelHost::Retire(Engine* engine) {
  {
    const std::lock_guard lock(mutex_);
    retired_.emplace_back(engine);
  }
  changed_.notify_all();
}

void ModelHost::DestroyRetired() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !retired_.empty(); });
    if (retired_.empty()) {
      if (alive_ == 0) return;
      changed_.wait(lock);
      continue;
    }
    std::unique_ptr<Engine> engine = std::move(retired_.front());
    retired_.pop_front();
    lock.unlock();
    engine.reset();
    // Its threads are gone, and their arenas would stay half empty for good.
    malloc_trim(0);
    lock.lock();
    --alive_;
    changed_.notify_all();
  }
}

std::shared_ptr<Engine> ModelHost::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

bool ModelHost::Replace(std::unique_ptr<Engine> next) {
  std::shared_ptr<Engine> previous;  // Given back without the lock.
  const std::lock_guard lock(mutex_);
  if (draining_) return false;
  previous = std::exchange(current_, Lease(std::move(next)));
  std::erase_if(replaced_, [](const std::weak_ptr<Engine>& engine) { return engine.expired(); });
  replaced_.push_back(previous);
  return true;
}

void ModelHost::Drain() {
  for (const std::shared_ptr<Engine>& engine : StopReplacing()) engine->Drain();
}

void ModelHost::CutShort() {
  for (const std::shared_ptr<Engine>& engine : StopReplacing()) engine->CutShort();
}

std::vector<std::shared_ptr<Engine>> ModelHost::StopReplacing() {
  std::vector<std::shared_ptr<Engine>> engines;
  const std::lock_guard lock(mutex_);
  draining_ = true;
  if (current_ != nullptr) engines.push_back(current_);
  for (const std::weak_ptr<Engine>& replaced : replaced_) {
    if (auto engine = replaced.lock()) engines.push_back(std::move(engine));
  }
  return engines;
}

bool ModelHost::draining() const {
  const std::lock_guard lock(mutex_);
  return draining_;
}

size_t ModelHost::Retiring() const {
  const std::lock_guard lock(mutex_);
  return alive_ - (current_ == nullptr ? 0 : 1);
}

}  // namespace bitplex
