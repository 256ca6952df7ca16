#include "server/serving/view_cache.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

size_t TotalBytes(const std::vector<ViewCache::Weights>& views) {
  size_t bytes = 0;
  for (const ViewCache::Weights& view : views) bytes += view->bytes();
  return bytes;
}

size_t Excess(size_t a, size_t b) { return a > b ? a - b : 0; }

}  // namespace

// One materialisation, and those who wait for it.
struct ViewCache::Flight {
  std::condition_variable landed;
  size_t waiters = 0;
  bool done = false;
  absl::Status status;
};

struct ViewCache::Slot {
  Weights weights;
  std::shared_ptr<Flight> flight;  // While the view is under construction.
  size_t pins = 0;
  uint64_t last_use = 0;
  std::chrono::steady_clock::time_point made;

  bool evictable() const { return weights != nullptr && pins == 0; }
};

ViewCache::ViewCache(size_t budget_bytes, size_t task_count, Recorder* recorder)
    : recorder_(recorder), slots_(task_count) {
  stats_.budget_bytes = budget_bytes;
}

ViewCache::~ViewCache() = default;

absl::StatusOr<ViewCache::Pin> ViewCache::Acquire(size_t task, size_t bytes,
                                                  const Materialize& make) {
  Lock lock(mutex_);
  if (task >= slots_.size()) return absl::InternalError(absl::StrCat("no view for task ", task));
  Slot& slot = slots_[task];
  if (slot.weights != nullptr) {
    ++stats_.hits;
    ++slot.pins;
    return MakePin(task);
  }
  if (slot.flight != nullptr) return Wait(lock, task);

  std::vector<Weights> victims;
  if (!MakeRoom(bytes, victims)) {
    ++stats_.streamed;
    return Pin();
  }
  const auto flight = std::make_shared<Flight>();
  slot.flight = flight;
  absl::StatusOr<Weights> made = Make(lock, task, bytes, std::move(victims), make);
  slot.flight = nullptr;
  flight->status = made.status();
  flight->done = true;
  flight->landed.notify_all();
  if (!made.ok()) return made.status();
  slot.weights = *std::move(made);
  slot.made = std::chrono::steady_clock::now();
  // The waiters' pins are taken for them here: nobody can evict the view before they wake.
  slot.pins = 1 + flight->waiters;
  ++stats_.materializations;
  return MakePin(task);
}

absl::StatusOr<ViewCache::Pin> ViewCache::Wait(Lock& lock, size_t task) {
  const std::shared_ptr<Flight> flight = slots_[task].flight;
  ++flight->waiters;
  flight->landed.wait(lock, [&] { return flight->done; });
  if (!flight->status.ok()) return flight->status;
  ++stats_.hits;
  return MakePin(task);
}

// Takes as many views out as make room for `bytes`, and reserves them. False, and nothing changes,
// when there cannot be room now.
bool ViewCache::MakeRoom(size_t bytes, std::vector<Weights>& victims) {
  const size_t free_bytes = stats_.budget_bytes - stats_.bytes;
  std::vector<Slot*> idle;
  size_t idle_bytes = 0;
  for (Slot& slot : slots_) {
    if (!slot.evictable()) continue;
    idle.push_back(&slot);
    idle_bytes += slot.weights->bytes();
  }
  if (Excess(bytes, free_bytes) > idle_bytes) return false;

  std::sort(idle.begin(), idle.end(),
            [](const Slot* a, const Slot* b) { return a->last_use < b->last_use; });
  size_t freed_bytes = 0;
  for (Slot* slot : idle) {
    if (free_bytes + freed_bytes >= bytes) break;
    freed_bytes += slot->weights->bytes();
    victims.push_back(Take(*slot));
  }
  // The victims count until Drop has destroyed them.
  stats_.bytes += Excess(bytes, freed_bytes);
  return true;
}

// Destroys `victims`, then makes the view for which `bytes` are reserved. The lock is open
// meanwhile.
absl::StatusOr<ViewCache::Weights> ViewCache::Make(Lock& lock, size_t task, size_t bytes,
                                                   std::vector<Weights> victims,
                                                   const Materialize& make) {
  if (!victims.empty()) Drop(lock, std::move(victims), bytes);
  lock.unlock();
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<Weights> made = make();
  if (made.ok() && *made == nullptr) made = absl::InternalError("no weights were made");
  if (made.ok() && (*made)->bytes() > bytes) {
    made = absl::InternalError(absl::StrCat("the weights take ", (*made)->bytes(), " bytes; only ",
                                            bytes, " were asked for"));
  }
  if (made.ok() && recorder_ != nullptr) {
    recorder_->ViewMaterialized(task, std::chrono::steady_clock::now() - start);
  }
  lock.lock();
  stats_.bytes -= bytes - (made.ok() ? (*made)->bytes() : 0);
  return made;
}

// Destroys `victims` with the lock open, since giving memory back takes long, and counts them out
// only then, save for `reserved_bytes` of them that already belong to a view to come.
void ViewCache::Drop(Lock& lock, std::vector<Weights> victims, size_t reserved_bytes) {
  const size_t bytes = TotalBytes(victims);
  lock.unlock();
  victims.clear();
  lock.lock();
  stats_.bytes -= Excess(bytes, reserved_bytes);
}

ViewCache::Weights ViewCache::Take(Slot& slot) {
  ++stats_.evictions;
  if (recorder_ != nullptr) {
    const size_t task = static_cast<size_t>(&slot - slots_.data());
    recorder_->ViewEvicted(task, std::chrono::steady_clock::now() - slot.made);
  }
  return std::exchange(slot.weights, nullptr);
}

// The pin must have been counted.
ViewCache::Pin ViewCache::MakePin(size_t task) {
  slots_[task].last_use = ++uses_;
  return Pin(slots_[task].weights.get(), Unpin{this, task});
}

void ViewCache::Unpin::operator()(const PackedWeights*) const {
  const std::lock_guard lock(cache->mutex_);
  Slot& slot = cache->slots_[task];
  --slot.pins;
  slot.last_use = ++cache->uses_;
}

size_t ViewCache::Evict(size_t task) {
  Lock lock(mutex_);
  if (task >= slots_.size() || !slots_[task].evictable()) return 0;
  std::vector<Weights> victims;
  victims.push_back(Take(slots_[task]));
  const size_t bytes = TotalBytes(victims);
  Drop(lock, std::move(victims), 0);
  return bytes;
}

void ViewCache::EvictAll() {
  Lock lock(mutex_);
  std::vector<Weights> victims;
  for (Slot& slot : slots_) {
    if (slot.evictable()) victims.push_back(Take(slot));
  }
  Drop(lock, std::move(victims), 0);
}

ViewCacheStats ViewCache::Stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

size_t ViewCache::ResidentBytes(size_t task) const {
  const std::lock_guard lock(mutex_);
  if (task >= slots_.size() || slots_[task].weights == nullptr) return 0;
  return slots_[task].weights->bytes();
}

}  // namespace bitplex
