// The buffers of runs that decode their weights layer by layer.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model_store/util/mapped_buffer.h"

namespace bitplex {

// Thread-safe. Must outlive its leases. A buffer is allocated when it is first needed, and kept.
class ScratchPool {
 public:
  // One buffer in use; gives it back when it dies.
  class Lease {
   public:
    Lease(ScratchPool& pool, size_t index) : pool_(&pool), index_(index) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->Return(index_);
    }
    absl::Span<std::byte> bytes() const;

   private:
    ScratchPool* pool_;
    size_t index_;
  };

  // At most `count` buffers of `bytes` each.
  ScratchPool(size_t count, size_t bytes) : bytes_(bytes), buffers_(count), free_(count, true) {}

  // Waits until a buffer is free. RESOURCE_EXHAUSTED when the system has no memory.
  absl::StatusOr<Lease> Borrow();

  size_t bytes() const;  // Allocated now.

 private:
  void Return(size_t index);

  const size_t bytes_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<MappedBuffer> buffers_;  // Guarded by mutex_; the memory itself is the lease's.
  std::vector<bool> free_;             // Guarded by mutex_.
};

}  // namespace bitplex
