#include "tests/load/flood.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "bitplex/v1/classifier.grpc.pb.h"

namespace bitplex::load {
namespace {

using Clock = std::chrono::steady_clock;

double Ms(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

struct OneCall {
  Clock::time_point begun;
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ClassifyResponse>> reader;
};

class Flooder {
 public:
  explicit Flooder(const FloodOptions& options) : options_(options) {
    for (size_t i = 0; i < options.connections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      stubs_.push_back(v1::Classifier::NewStub(grpc::CreateCustomChannel(
          options.address, grpc::InsecureChannelCredentials(), arguments)));
    }
  }

  FloodResult Run() {
    start_ = Clock::now();
    end_ = start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(options_.seconds));
    std::thread ends([this] { TakeEnds(); });
    if (options_.in_flight > 0) {
      for (size_t i = 0; i < options_.in_flight; ++i) Begin();
      std::this_thread::sleep_until(end_);
    } else {
      BeginByTheClock();
    }
    result_.seconds = Ms(Clock::now() - start_) / 1e3;
    closing_ = true;
    if (open_-- == 1) queue_.Shutdown();
    ends.join();
    return std::move(result_);
  }

 private:
  void Begin() {
    auto* const call = new OneCall;
    ++open_;
    const size_t number = begun_++;
    call->context.set_deadline(std::chrono::system_clock::now() + options_.deadline);
    call->begun = Clock::now();
    call->reader = stubs_[number % stubs_.size()]->AsyncClassify(
        &call->context, options_.requests[number % options_.requests.size()], &queue_);
    call->reader->Finish(&call->response, &call->status, call);
  }

  void BeginByTheClock() {
    const std::chrono::duration<double> step(1 / options_.rate_per_s);
    for (size_t i = 0;; ++i) {
      const auto due =
          start_ + std::chrono::duration_cast<Clock::duration>(step * static_cast<double>(i));
      if (due >= end_) return;
      if (due > Clock::now()) std::this_thread::sleep_until(due);
      result_.behind_ms = std::max(result_.behind_ms, Ms(Clock::now() - due));
      Begin();
    }
  }

  void TakeEnds() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      const std::unique_ptr<OneCall> call(static_cast<OneCall*>(tag));
      Count(*call, Ms(Clock::now() - call->begun));
      if (options_.in_flight > 0 && !closing_) Begin();
      if (--open_ == 0) queue_.Shutdown();
    }
  }

  void Count(const OneCall& call, double ms) {
    const auto code = call.status.error_code();
    if (call.status.ok()) {
      result_.accepted_ms.push_back(ms);
      result_.queue_ms.push_back(static_cast<double>(call.response.timings().queue_us()) / 1e3);
      result_.compute_ms.push_back(static_cast<double>(call.response.timings().compute_us()) / 1e3);
    } else if (code == grpc::DEADLINE_EXCEEDED &&
               ms >= static_cast<double>(options_.deadline.count())) {
      result_.expired_ms.push_back(ms);
    } else if (code == grpc::RESOURCE_EXHAUSTED || code == grpc::DEADLINE_EXCEEDED) {
      result_.refused_ms.push_back(ms);
    } else {
      ++result_.failed[absl::StrCat(code, " ", call.status.error_message())];
    }
  }

  const FloodOptions& options_;
  std::vector<std::unique_ptr<v1::Classifier::Stub>> stubs_;
  grpc::CompletionQueue queue_;
  Clock::time_point start_;
  Clock::time_point end_;
  std::atomic<size_t> begun_{0};
  std::atomic<size_t> open_{1};  // Calls in flight, and one for whoever begins them.
  std::atomic<bool> closing_{false};
  FloodResult result_;  // behind_ms and seconds are the beginner's, the rest TakeEnds'.
};

}  // namespace

size_t FloodResult::failures() const {
  size_t sum = 0;
  for (const auto& [error, times] : failed) sum += times;
  return sum;
}

size_t FloodResult::sent() const {
  return accepted_ms.size() + refused_ms.size() + expired_ms.size() + failures();
}

FloodResult Flood(const FloodOptions& options) { return Flooder(options).Run(); }

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

}  // namespace bitplex::load
