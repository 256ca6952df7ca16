// The whole server: engine, gRPC, and their orderly start and stop.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/statusor.h"
#include "server/app/options.h"
#include "server/lifecycle/health.h"
#include "server/lifecycle/reloader.h"
#include "server/lifecycle/store_watcher.h"
#include "server/metrics/prometheus_metrics.h"
#include "server/security/security.h"
#include "server/service/admin_service.h"
#include "server/service/call_admission.h"
#include "server/service/classifier_service.h"
#include "server/service/oip/inference_service.h"
#include "server/serving/model_host.h"

namespace bitplex {

// Not thread-safe, but for Reload and CutShort.
class Server {
 public:
  // Loads what `options` name, starts the workers and listens. Errors say what and where: a store
  // that cannot be served, a missing executor module, an address that is taken, a
  // certificate that has expired.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  ~Server() { Stop(); }

  // Says that it is not healthy, goes on for the drain delay, then takes no new calls, answers
  // those admitted (refusing what waits for a worker when the drain timeout has passed), and ends
  // the workers. The metrics are served to the end. May be called again.
  void Stop();

  // Ends a Stop that is under way soon: what waits is refused, and answers that clients do not
  // fetch are dropped.
  void CutShort();

  // See Reloader.
  absl::StatusOr<ReloadResult> Reload(std::string_view reason) { return reloader_.Reload(reason); }

  int port() const { return port_; }  // 0 for a Unix socket.
  int admin_port() const { return admin_port_; }
  int metrics_port() const { return metrics_ == nullptr ? 0 : metrics_->port(); }
  // What answers now; keep it no longer than needed.
  std::shared_ptr<Engine> engine() const { return host_.Current(); }
  CallAdmission& admission() { return admission_; }
  Security& security() { return *security_; }

 private:
  Server(const ServerOptions& options, std::unique_ptr<PrometheusMetrics> metrics,
         std::unique_ptr<EngineFactory> factory, std::unique_ptr<Engine> engine);

  absl::Status ServeMetrics();
  absl::Status Listen();
  absl::Status ListenForAdmin();
  void WatchStore();
  bool OnStoreFile();
  void StopCalls();
  void DrainUntil(std::chrono::steady_clock::time_point deadline);
  bool WaitForCut(std::chrono::steady_clock::time_point until);

  const ServerOptions options_;
  std::unique_ptr<Security> security_;
  std::unique_ptr<Security> admin_security_;    // Null without admin_listen.
  std::unique_ptr<PrometheusMetrics> metrics_;  // Null when there are none.
  const std::unique_ptr<EngineFactory> factory_;
  ModelHost host_;
  Reloader reloader_;
  CallAdmission admission_;
  ClassifierService service_;
  InferenceService inference_service_;
  AdminService admin_service_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<grpc::Server> admin_server_;
  std::optional<Health> health_;
  std::optional<StoreWatcher> watcher_;
  int port_ = 0;
  int admin_port_ = 0;

  std::mutex stop_mutex_;  // Guards what follows.
  std::condition_variable stop_changed_;
  bool cut_short_ = false;
  bool shutting_down_ = false;  // grpc_server_ is, and is there.
};

}  // namespace bitplex
