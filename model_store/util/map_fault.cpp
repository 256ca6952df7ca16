#include "model_store/util/map_fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace bitplex {
namespace {

struct Range {
  std::atomic<uintptr_t> begin{0};   // 0: free.
  std::atomic<uintptr_t> end{0};     // Set before `begin` is anything but kTaken.
  std::atomic<bool> faulted{false};  // Likewise.
};

constexpr uintptr_t kTaken = 1;

std::array<Range, 1024> ranges;
uintptr_t page_bytes = 4096;

// The range that has `address`; null for none.
Range* Find(uintptr_t address) {
  for (Range& range : ranges) {
    const uintptr_t begin = range.begin.load(std::memory_order_acquire);
    if (begin > kTaken && address >= begin && address < range.end.load(std::memory_order_relaxed)) {
      return &range;
    }
  }
  return nullptr;
}

// Puts a page of noughts where the file has none any more. Only system calls that are safe here:
// mmap is no more than one.
void OnBusError(int signal, siginfo_t* info, void*) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (Range* const range = Find(address); range != nullptr) {
    range->faulted = true;  // Before anybody can read the noughts.
    void* const page = reinterpret_cast<void*>(address & ~(page_bytes - 1));
    if (mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
      errno = saved_errno;
      return;
    }
  }
  // Not ours: the instruction runs again, and ends the process. One that was sent has none.
  ::signal(signal, SIG_DFL);
  if (info->si_code <= 0) raise(signal);
  errno = saved_errno;
}

}  // namespace

absl::Status SurviveMapFaults() {
  page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, nullptr) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "cannot handle SIGBUS");
}

void GuardMapping(const void* data, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (Range& range : ranges) {
    uintptr_t free = 0;
    if (!range.begin.compare_exchange_strong(free, kTaken)) continue;
    range.end.store(begin + bytes, std::memory_order_relaxed);
    range.faulted.store(false, std::memory_order_relaxed);
    range.begin.store(begin, std::memory_order_release);
    return;
  }
}

bool MappingFaulted(const void* data) {
  const Range* const range = Find(reinterpret_cast<uintptr_t>(data));
  return range != nullptr && range->faulted;
}

void UnguardMapping(const void* data) {
  const auto begin = reinterpret_cast<uintptr_t>(data);
  for (Range& range : ranges) {
    if (range.begin.load(std::memory_order_relaxed) == begin) {
      range.begin.store(0, std::memory_order_release);
      return;
    }
  }
}

}  // namespace bitplex
