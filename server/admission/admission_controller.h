// How much may be in the server at the same time, in all and from one client.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"

namespace bitplex {

struct AdmissionLimits {
  // What admitted requests may hold together. Protects the process from many large images: a queue
  // bounds their number alone, and 256 of 16 MiB each would be 4 GiB a task. Raising it costs that
  // much memory at worst. One request is admitted whatever its size, when it is alone. Default
  // 256 MiB: 16 images of the largest size that is taken by default, or two full queues of
  // photographs of half a MiB.
  size_t max_inflight_bytes = size_t{256} << 20;
  // Requests of one client. 0: no limit. Default 1024: more than it takes to fill the queues of
  // three tasks, so that a proxy, behind which all clients look like one, rarely meets it; yet it
  // bounds what one client that never reads its answers can hold.
  size_t max_client_inflight = 1024;
};

// Thread-safe. Outlives every ticket, and engines: it knows nothing of tasks.
class AdmissionController {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Clock = std::function<TimePoint()>;

  // One admitted request. Gives back what it holds when it is destroyed. Move-only; not
  // thread-safe.
  class Ticket {
   public:
    Ticket() = default;  // Holds nothing.
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { Release(); }

    // Now it holds `bytes`, if that is less: its request's image is no longer needed.
    void Shrink(size_t bytes);

   private:
    friend class AdmissionController;
    void Release();

    AdmissionController* controller_ = nullptr;
    std::string client_;  // Empty when clients are not counted.
    size_t bytes_ = 0;
    TimePoint admitted_;
  };

  struct Counts {
    size_t requests = 0;
    size_t bytes = 0;
    size_t clients = 0;  // That have requests in flight; 0 when clients are not counted.
  };

  explicit AdmissionController(const AdmissionLimits& limits,
                               Clock clock = &std::chrono::steady_clock::now);
  AdmissionController(const AdmissionController&) = delete;
  AdmissionController& operator=(const AdmissionController&) = delete;

  // Never waits. `client` tells callers apart, and `bytes` is what the request holds until it is
  // answered. RESOURCE_EXHAUSTED with a Refusal, whose delay is how long tickets have lately been
  // held: after it, most of those that are in the way now will have been given back.
  absl::StatusOr<Ticket> Admit(std::string_view client, size_t bytes);

  Counts counts() const;
  const AdmissionLimits& limits() const { return limits_; }

 private:
  void Shrink(size_t bytes);
  void GiveBack(const Ticket& ticket);

  const AdmissionLimits limits_;
  const Clock clock_;
  mutable std::mutex mutex_;                           // Guards what follows.
  std::unordered_map<std::string, size_t> by_client_;  // None is 0.
  size_t requests_ = 0;
  size_t bytes_ = 0;
  std::chrono::nanoseconds held_{0};  // Smoothed time that a ticket is held; 0: not known.
};

}  // namespace bitplex
