// What the server says of its health (grpc.health.v1): of itself, of its services, and of every
// task, whose service name is the task's.
#pragma once

#include <grpcpp/health_check_service_interface.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace bitplex {

// Thread-safe.
class Health {
 public:
  // Before the gRPC server is built.
  static void Enable() { grpc::EnableDefaultHealthCheckService(true); }

  // `service` is the built server's, and must outlive this.
  explicit Health(grpc::HealthCheckServiceInterface& service) : service_(service) {}

  // Serves these tasks, and no longer those named before: they are NOT_SERVING from now on, since
  // who watches them must be told.
  void Serve(const std::vector<std::string>& tasks);

  // All of it is NOT_SERVING: until Serve is called, or for good.
  void Suspend();
  void Stop();

 private:
  grpc::HealthCheckServiceInterface& service_;
  std::mutex mutex_;
  std::set<std::string> tasks_;
  bool stopped_ = false;
};

}  // namespace bitplex
