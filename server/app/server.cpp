#include "server/app/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/app/log.h"
#include "server/lifecycle/reload_metrics.h"
#include "server/security/address.h"

namespace bitplex {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// An image over its own limit should be told so by us; only what is far larger is cut off by gRPC.
constexpr size_t kMessageLimitFactor = 4;

// How long a drained server still refuses calls in its own words. gRPC, once it shuts down, answers
// what was already on its way with CANCELLED, which clients do not retry.
constexpr milliseconds kRefusalTime{200};

// How often a drained server looks whether all answers are taken, and how long the calls that are
// left then have to end by themselves.
constexpr milliseconds kAnswerInterval{10};
constexpr milliseconds kShutdownTime{500};

// Client certificates are looked at when a connection begins. Older ones are asked to connect anew,
// once what they carry is answered.
constexpr int kMutualTlsConnectionAgeMs = 60 * 60 * 1000;

// At least so often the server looks whether the store was written to in place.
constexpr milliseconds kDamageInterval{1000};

// When a store that could not be loaded for want of something is tried again.
constexpr milliseconds kReloadRetry{30'000};

// Faults that are not the file's, and may pass while it stays as it is.
bool MayPass(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsPermissionDenied(status) ||
         absl::IsInternal(status) || absl::IsUnknown(status);
}

// Builds and starts `builder` with one port.
absl::StatusOr<std::unique_ptr<grpc::Server>> Start(grpc::ServerBuilder& builder,
                                                    const std::string& listen, const char* option,
                                                    Security& security, int& port) {
  int bound = -1;
  builder.AddListeningPort(listen, security.Credentials(), &bound);
  if (security.transport() == Transport::kMutualTls)
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kMutualTlsConnectionAgeMs);
  // Two servers on one port would share its clients at random.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const bool unix_socket = absl::StartsWith(listen, "unix:");
  if (server == nullptr || (bound <= 0 && !unix_socket)) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", listen,
        ": the port is taken, or the address is not of this machine; give another with ", option));
  }
  port = unix_socket ? 0 : bound;
  return server;
}

// What may be buffered has room for the largest message, however little may be admitted.
GrpcLimits LimitsFor(const ServerOptions& options) {
  GrpcLimits limits = options.grpc;
  limits.max_message_bytes = options.engine.images.max_encoded_bytes * kMessageLimitFactor;
  limits.max_buffer_bytes =
      std::max(options.admission.limits.max_inflight_bytes, 2 * limits.max_message_bytes);
  return limits;
}

CallAdmissionOptions AdmissionFor(const ServerOptions& options) {
  CallAdmissionOptions admission = options.admission;
  admission.by_token = !options.security.token_file.empty();
  return admission;
}

}  // namespace

Server::Server(const ServerOptions& options, std::unique_ptr<PrometheusMetrics> metrics,
               std::unique_ptr<EngineFactory> factory, std::unique_ptr<Engine> engine)
    : options_(options),
      metrics_(std::move(metrics)),
      factory_(std::move(factory)),
      host_(std::move(engine)),
      reloader_(*factory_, host_,
                [this](const std::vector<std::string>& tasks) {
                  health_->Serve(tasks);
                  inference_service_.SetReady(true);
                }),
      admission_(AdmissionFor(options)),
      service_(host_, admission_),
      inference_service_(host_, admission_),
      admin_service_(host_, reloader_) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  // First, because it takes no time.
  absl::StatusOr<std::unique_ptr<Security>> security =
      Security::Open(options.security, options.listen);
  if (!security.ok()) return security.status();
  std::unique_ptr<Security> admin_security;
  if (!options.admin_listen.empty()) {
    const absl::StatusOr<SecurityOptions> admin =
        AdminSecurity(options.security, options.admin_token_file, options.admin_listen);
    if (!admin.ok()) return admin.status();
    auto opened = Security::Open(*admin, options.admin_listen);
    if (!opened.ok()) return opened.status();
    admin_security = *std::move(opened);
  }
  if (absl::Status status = CheckMetricsAddress(options.security, options.metrics_listen);
      !status.ok()) {
    return status;
  }
  auto metrics = options.metrics_listen.empty() ? nullptr : std::make_unique<PrometheusMetrics>();
  auto factory = EngineFactory::Open(options, options.engine, metrics.get());
  if (!factory.ok()) return factory.status();
  auto engine = (*factory)->Make();
  if (!engine.ok()) return engine.status();
  if (options.warm_up) {
    if (absl::Status status = (*engine)->WarmUp(); !status.ok()) return status;
  }
  std::unique_ptr<Server> server(
      new Server(options, std::move(metrics), *std::move(factory), *std::move(engine)));
  server->security_ = *std::move(security);
  server->admin_security_ = std::move(admin_security);
  absl::Status status = server->ServeMetrics();
  if (status.ok()) status = server->Listen();
  if (status.ok()) status = server->ListenForAdmin();
  if (!status.ok()) return status;
  server->WatchStore();
  return server;
}

absl::Status Server::ServeMetrics() {
  if (metrics_ == nullptr) return absl::OkStatus();
  if (!StaysOnThisHost(options_.metrics_listen)) {
    spdlog::warn("insecure metrics_listen={} remedy={}", Quoted(options_.metrics_listen),
                 Quoted("whoever reaches it can read the metrics; listen on 127.0.0.1"));
  }
  return metrics_->Serve(options_.metrics_listen, [this] {
    std::vector<SampledFamily> families = SampleEngine(*host_.Current(), options_.executor);
    SampleAdmission(admission_.controller(), families);
    for (SampledFamily& family : SampleReloads(reloader_, host_)) {
      families.push_back(std::move(family));
    }
    return families;
  });
}

absl::Status Server::Listen() {
  Health::Enable();
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  ApplyGrpcLimits(LimitsFor(options_), builder);
  builder.RegisterService(&service_);
  builder.RegisterService(&inference_service_);
  auto started = bitplex::Start(builder, options_.listen, "--listen", *security_, port_);
  if (!started.ok()) return started.status();
  grpc_server_ = *std::move(started);
  health_.emplace(*grpc_server_->GetHealthCheckService());
  health_->Serve(TaskNames(host_.Current()->set()));
  return absl::OkStatus();
}

absl::Status Server::ListenForAdmin() {
  if (admin_security_ == nullptr) return absl::OkStatus();
  grpc::ServerBuilder builder;
  ApplyGrpcLimits(LimitsFor(options_), builder);
  builder.RegisterService(&admin_service_);
  auto started = bitplex::Start(builder, options_.admin_listen, "--admin-listen", *admin_security_,
                                admin_port_);
  if (!started.ok()) return started.status();
  admin_server_ = *std::move(started);
  return absl::OkStatus();
}

void Server::WatchStore() {
  const std::shared_ptr<Engine> engine = host_.Current();
  if (engine->set().store == nullptr) return;
  watcher_.emplace(options_.store, engine->set().store->identity(),
                   options_.watch_store.count() > 0
                       ? std::min(options_.watch_store, kDamageInterval)
                       : kDamageInterval,
                   kReloadRetry, [this] { return OnStoreFile(); });
}

// A store that was written to in place is read again, asked for or not: if it is whole, it is
// served anew, and if not, the server says that it is not well. False when it should be tried
// again.
bool Server::OnStoreFile() {
  const bool damaged = !host_.Current()->set().Unchanged();
  if (!damaged && options_.watch_store.count() == 0) return true;
  if (damaged) {
    spdlog::error("store_changed_in_place path={} remedy={}", Quoted(options_.store),
                  Quoted("write a new file and rename it over the old one"));
  }
  const absl::Status status = reloader_.Reload(damaged ? "changed in place" : "replaced").status();
  if (damaged && !status.ok()) {
    health_->Suspend();
    inference_service_.SetReady(false);
  }
  return !MayPass(status);
}

void Server::Stop() {
  StopCalls();
  if (admin_server_ != nullptr) {
    admin_server_->Shutdown(std::chrono::system_clock::now());
    admin_server_.reset();
  }
  if (metrics_ != nullptr) metrics_->StopServing();
}

void Server::CutShort() {
  const std::lock_guard lock(stop_mutex_);
  cut_short_ = true;
  stop_changed_.notify_all();
  host_.CutShort();
  if (shutting_down_) grpc_server_cancel_all_calls(grpc_server_->c_server());
}

// Whether CutShort was called before `until`.
bool Server::WaitForCut(steady_clock::time_point until) {
  std::unique_lock lock(stop_mutex_);
  return stop_changed_.wait_until(lock, until, [this] { return cut_short_; });
}

void Server::DrainUntil(steady_clock::time_point deadline) {
  bool drained = false;
  std::thread timer([&] {
    std::unique_lock lock(stop_mutex_);
    const auto ended = [&] { return drained || cut_short_; };
    if (stop_changed_.wait_until(lock, deadline, ended) && drained) return;
    spdlog::warn("drain_cut_short remedy={}",
                 Quoted("images that waited are refused; raise --drain-timeout-ms"));
    host_.CutShort();
  });
  host_.Drain();
  {
    const std::lock_guard lock(stop_mutex_);
    drained = true;
  }
  stop_changed_.notify_all();
  timer.join();
}

void Server::StopCalls() {
  if (grpc_server_ == nullptr) {
    watcher_.reset();
    host_.Drain();
    return;
  }
  health_->Stop();
  inference_service_.StopServing();
  WaitForCut(steady_clock::now() + options_.drain_delay);
  const auto deadline = steady_clock::now() + options_.drain_timeout;
  service_.StopStreams();
  DrainUntil(deadline);
  WaitForCut(steady_clock::now() + kRefusalTime);
  // Until the last answer is taken. Only calls without end are left then, such as watching health:
  // gRPC would wait for those.
  while (admission_.controller().counts().requests > 0 && steady_clock::now() < deadline &&
         !WaitForCut(steady_clock::now() + kAnswerInterval)) {
  }
  {
    const std::lock_guard lock(stop_mutex_);
    shutting_down_ = true;
  }
  grpc_server_->Shutdown(std::chrono::system_clock::now() + kShutdownTime);
  watcher_.reset();
  const std::lock_guard lock(stop_mutex_);
  shutting_down_ = false;
  grpc_server_.reset();
}

}  // namespace bitplex
