// Ends calls whose client does not take its answer.
#pragma once

#include <grpcpp/server_context.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace bitplex {

// A write is over when HTTP/2's flow control has let it pass, so a client that never reads keeps
// its call, and all that belongs to it, for as long as it stays connected. Thread-safe; one thread
// of its own, which wakes a few times in each timeout.
class AnswerWatch {
 public:
  explicit AnswerWatch(std::chrono::milliseconds write_timeout);
  ~AnswerWatch();

  // Call before an answer of `call` is handed to gRPC, and again for the next. If End does not
  // follow within the timeout, the call is cancelled.
  void Begin(const grpc::CallbackServerContext& call);
  // The answer was taken, or its call is over. When it returns, `call` is not touched any more. May
  // be called without Begin.
  void End(const grpc::CallbackServerContext& call);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void Watch();
  void CancelBegunBefore(TimePoint limit);

  const std::chrono::milliseconds write_timeout_;
  // Cancelling can run a call's last reaction, and so End, on the same thread.
  std::recursive_mutex mutex_;
  std::unordered_map<const grpc::CallbackServerContext*, TimePoint> begun_;  // Guarded by mutex_.

  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;  // Guarded by stop_mutex_.
  std::thread thread_;
};

}  // namespace bitplex
