#include "server/serving/scratch_pool.h"

#include <algorithm>

namespace bitplex {

absl::Span<std::byte> ScratchPool::Lease::bytes() const {
  const std::lock_guard lock(pool_->mutex_);
  return {static_cast<std::byte*>(pool_->buffers_[index_].data()), pool_->bytes_};
}

absl::StatusOr<ScratchPool::Lease> ScratchPool::Borrow() {
  std::unique_lock lock(mutex_);
  auto free = free_.end();
  returned_.wait(
      lock, [&] { return (free = std::find(free_.begin(), free_.end(), true)) != free_.end(); });
  const size_t index = static_cast<size_t>(free - free_.begin());
  if (buffers_[index].data() == nullptr) {
    absl::StatusOr<MappedBuffer> buffer = MappedBuffer::Allocate(bytes_);
    if (!buffer.ok()) return buffer.status();
    buffers_[index] = *std::move(buffer);
  }
  free_[index] = false;
  return Lease(*this, index);
}

size_t ScratchPool::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const MappedBuffer& buffer : buffers_) bytes += buffer.bytes();
  return bytes;
}

void ScratchPool::Return(size_t index) {
  {
    const std::lock_guard lock(mutex_);
    free_[index] = true;
  }
  returned_.notify_one();
}

}  // namespace bitplex
