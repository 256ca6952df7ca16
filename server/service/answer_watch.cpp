#include "server/service/answer_watch.h"

#include <algorithm>
#include <vector>

namespace bitplex {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestPeriod{1};
constexpr milliseconds kLongestPeriod{1000};

}  // namespace

AnswerWatch::AnswerWatch(milliseconds write_timeout)
    : write_timeout_(write_timeout), thread_([this] { Watch(); }) {}

AnswerWatch::~AnswerWatch() {
  {
    const std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

void AnswerWatch::Begin(const grpc::CallbackServerContext& call) {
  const TimePoint now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  begun_[&call] = now;
}

void AnswerWatch::End(const grpc::CallbackServerContext& call) {
  const std::lock_guard lock(mutex_);
  begun_.erase(&call);
}

void AnswerWatch::Watch() {
  const milliseconds period = std::clamp(write_timeout_ / 4, kShortestPeriod, kLongestPeriod);
  std::unique_lock lock(stop_mutex_);
  while (!stop_changed_.wait_for(lock, period, [this] { return stopping_; })) {
    lock.unlock();
    CancelBegunBefore(std::chrono::steady_clock::now() - write_timeout_);
    lock.lock();
  }
}

void AnswerWatch::CancelBegunBefore(TimePoint limit) {
  const std::lock_guard lock(mutex_);
  std::vector<const grpc::CallbackServerContext*> late;
  for (const auto& [call, since] : begun_) {
    if (since < limit) late.push_back(call);
  }
  for (const grpc::CallbackServerContext* call : late) {
    if (begun_.erase(call) > 0) call->TryCancel();
  }
}

}  // namespace bitplex
