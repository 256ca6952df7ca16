// The engine that answers now, and its replacement while calls are under way.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "server/serving/engine.h"

namespace bitplex {

// Thread-safe. A call takes the engine once and keeps it until it is answered: what was admitted
// under one set of weights is answered by it. An engine that was replaced lives on for its calls,
// and is destroyed, its store unmapped, by a thread of the host's own once the last of them is
// done.
class ModelHost {
 public:
  explicit ModelHost(std::unique_ptr<Engine> engine);
  // Every lease must have been given back.
  ~ModelHost();

  // Never null. Giving it back never waits, on whichever thread.
  std::shared_ptr<Engine> Current() const;

  // From now on Current gives `next`. False, and `next` is destroyed, once Drain was called.
  bool Replace(std::unique_ptr<Engine> next);

  // Accepts no more (UNAVAILABLE), and waits until all that was accepted, by engines that were
  // replaced too, is answered.
  void Drain();

  // As Drain, but does not wait: images that wait for a worker are refused (UNAVAILABLE), and a
  // Drain that is under way ends as soon as what runs is answered.
  void CutShort();

  bool draining() const;  // Replace would be refused.

  // Engines that were replaced but still have calls, or are being destroyed.
  size_t Retiring() const;

 private:
  std::shared_ptr<Engine> Lease(std::unique_ptr<Engine> engine);
  void Retire(Engine* engine);
  void DestroyRetired();
  std::vector<std::shared_ptr<Engine>> StopReplacing();  // All that may still have calls.

  mutable std::mutex mutex_;  // Guards all below but the thread.
  std::condition_variable changed_;
  std::shared_ptr<Engine> current_;
  std::vector<std::weak_ptr<Engine>> replaced_;  // Those that may still have calls.
  std::deque<std::unique_ptr<Engine>> retired_;  // Without calls, to be destroyed.
  size_t alive_ = 0;  // Engines not destroyed yet, the current one included.
  bool draining_ = false;
  bool ending_ = false;
  std::thread destroyer_;
};

}  // namespace bitplex
