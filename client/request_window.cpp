#include "client/request_window.h"

#include <utility>

#include "client/connection.h"

namespace bitplex {

// What gRPC uses until it calls back.
struct RequestWindow::Call {
  grpc::ClientContext context;
  v1::ClassifyRequest request;
  v1::ClassifyResponse response;
};

RequestWindow::RequestWindow(v1::Classifier::Stub* stub, size_t max_in_flight,
                             std::chrono::milliseconds timeout)
    : stub_(stub), max_in_flight_(max_in_flight), timeout_(timeout) {}

void RequestWindow::Send(v1::ClassifyRequest request,
                         absl::StatusOr<v1::ClassifyResponse>* result) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ < max_in_flight_; });
    ++in_flight_;
  }
  Call* const call = new Call;  // The callback deletes it.
  call->request = std::move(request);
  call->context.set_deadline(std::chrono::system_clock::now() + timeout_);
  stub_->async()->Classify(&call->context, &call->request, &call->response,
                           [this, call, result](const grpc::Status& status) {
                             if (status.ok()) {
                               *result = std::move(call->response);
                             } else {
                               *result = FromGrpc(status);
                             }
                             // Before Done: the context holds the channel, and gRPC aborts when
                             // its last reference goes away on one of gRPC's own threads.
                             delete call;
                             Done();
                           });
}

void RequestWindow::Done() {
  // Notifying under the lock keeps a waiting destructor from finishing before notify_all returns.
  std::lock_guard<std::mutex> lock(mutex_);
  --in_flight_;
  changed_.notify_all();
}

void RequestWindow::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return in_flight_ == 0; });
}

}  // namespace bitplex
