// The whole server: engine, gRPC, and their orderly start and stop.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/app/options.h"
#include "server/metrics/prometheus_metrics.h"
#include "server/security/security.h"
#include "server/service/call_admission.h"
#include "server/service/classifier_service.h"
#include "server/service/oip/inference_service.h"
#include "server/serving/engine.h"

namespace bitplex {

// Not thread-safe.
class Server {
 public:
  // Loads what `options` name, starts the workers and listens. Errors say what and where: a store
  // that cannot be served, a missing executor module, an address that is taken, a
  // certificate that has expired.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server() { Stop(); }

  // Takes no new calls, answers those admitted (cancelling what is left after the drain timeout),
  // and ends the workers. The metrics are served to the end. May be called again.
  void Stop();

  int port() const { return port_; }  // 0 for a Unix socket.
  int metrics_port() const { return metrics_ == nullptr ? 0 : metrics_->port(); }
  const Engine& engine() const { return *engine_; }
  CallAdmission& admission() { return admission_; }
  Security& security() { return *security_; }

 private:
  Server(std::unique_ptr<PrometheusMetrics> metrics, std::unique_ptr<Engine> engine,
         const CallAdmissionOptions& admission, std::chrono::milliseconds drain_timeout)
      : metrics_(std::move(metrics)),
        engine_(std::move(engine)),
        admission_(admission),
        service_(*engine_, admission_),
        inference_service_(*engine_, admission_),
        drain_timeout_(drain_timeout) {}

  absl::Status Listen(const ServerOptions& options);
  void StopCalls();

  std::unique_ptr<Security> security_;
  std::unique_ptr<PrometheusMetrics> metrics_;  // Null when there are none.
  std::unique_ptr<Engine> engine_;
  CallAdmission admission_;
  ClassifierService service_;
  InferenceService inference_service_;
  std::unique_ptr<grpc::Server> grpc_server_;
  int port_ = 0;
  const std::chrono::milliseconds drain_timeout_;
};

}  // namespace bitplex
