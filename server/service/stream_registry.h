// The streams that are open, so that a stopping server can end them.
#pragma once

#include <mutex>
#include <set>

namespace bitplex {

class StoppableStream {
 public:
  // Takes no more requests, and ends once all it has taken are answered. May be called at any time
  // between Add and Remove.
  virtual void Stop() = 0;

 protected:
  ~StoppableStream() = default;
};

// Thread-safe.
class StreamRegistry {
 public:
  // A stream that comes after Stop is stopped at once.
  void Add(StoppableStream& stream) {
    const std::lock_guard lock(mutex_);
    streams_.insert(&stream);
    if (stopped_) stream.Stop();
  }
  // When it returns, no call to the stream is under way.
  void Remove(StoppableStream& stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(&stream);
  }
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (StoppableStream* stream : streams_) stream->Stop();
  }

 private:
  std::mutex mutex_;
  std::set<StoppableStream*> streams_;
  bool stopped_ = false;
};

}  // namespace bitplex
