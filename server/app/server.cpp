#include "server/app/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/app/log.h"
#include "server/security/address.h"

namespace bitplex {
namespace {

// An image over its own limit should be told so by us; only what is far larger is cut off by gRPC.
constexpr size_t kMessageLimitFactor = 4;

// How long a drained server still refuses calls in its own words. gRPC, once it shuts down, answers
// what was already on its way with CANCELLED, which clients do not retry.
constexpr std::chrono::milliseconds kRefusalTime{200};

// Client certificates are looked at when a connection begins. Older ones are asked to connect anew,
// once what they carry is answered.
constexpr int kMutualTlsConnectionAgeMs = 60 * 60 * 1000;

absl::StatusOr<ServableSet> Load(const ServerOptions& options) {
  if (!options.store.empty()) return LoadStore(options.store, options.reading);
  const absl::StatusOr<std::vector<TaskSpec>> specs = ParseTaskSpecs(options.separate);
  if (!specs.ok()) return specs.status();
  return LoadSeparate(*specs, options.arch);
}

// Half of what the networks would hold as separate float32 models, so that store and views together
// stay below them; but room for one view at least.
size_t DefaultViewBudget(const ServableSet& set) {
  size_t largest = 0;
  uint64_t separate = 0;
  for (const Servable& task : set.tasks) {
    largest = std::max(largest, task.network->packed_bytes());
    separate += Float32ModelBytes(*task.arch, task.info);
  }
  return std::max<size_t>(largest, separate / 2);
}

std::unique_ptr<PrometheusMetrics> MakeMetrics(const ServerOptions& options,
                                               const ServableSet& set) {
  if (options.metrics_listen.empty()) return nullptr;
  std::vector<std::string> names;
  for (const Servable& task : set.tasks) names.push_back(task.info.name);
  return std::make_unique<PrometheusMetrics>(names);
}

// What may be buffered has room for the largest message, however little may be admitted.
GrpcLimits LimitsFor(const ServerOptions& options) {
  GrpcLimits limits = options.grpc;
  limits.max_message_bytes = options.engine.images.max_encoded_bytes * kMessageLimitFactor;
  limits.max_buffer_bytes =
      std::max(options.admission.limits.max_inflight_bytes, 2 * limits.max_message_bytes);
  return limits;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  // First, because it takes no time.
  absl::StatusOr<std::unique_ptr<Security>> security =
      Security::Open(options.security, options.listen);
  if (!security.ok()) return security.status();
  if (absl::Status status = CheckMetricsAddress(options.security, options.metrics_listen);
      !status.ok()) {
    return status;
  }
  if (!options.metrics_listen.empty() && !StaysOnThisHost(options.metrics_listen)) {
    spdlog::warn("insecure metrics_listen={} remedy={}", Quoted(options.metrics_listen),
                 Quoted("whoever reaches it can read the metrics; listen on 127.0.0.1"));
  }
  absl::StatusOr<std::unique_ptr<Executor>> executor = LoadExecutor(options.executor);
  if (!executor.ok()) return executor.status();
  const uint64_t baseline_rss_bytes = ReadProcessMemory().rss_bytes;
  absl::StatusOr<ServableSet> set = Load(options);
  if (!set.ok()) return set.status();
  if (absl::Status status = PrepareNetworks(**executor, options.precision, *set); !status.ok()) {
    return status;
  }
  EngineOptions engine_options = options.engine;
  engine_options.view_budget_bytes = options.view_budget_bytes.value_or(DefaultViewBudget(*set));
  std::unique_ptr<PrometheusMetrics> metrics = MakeMetrics(options, *set);
  auto engine = std::make_unique<Engine>(std::make_shared<const ServableSet>(*std::move(set)),
                                         engine_options, baseline_rss_bytes, metrics.get());
  CallAdmissionOptions admission = options.admission;
  admission.by_token = !options.security.token_file.empty();
  std::unique_ptr<Server> server(
      new Server(std::move(metrics), std::move(engine), admission, options.drain_timeout));
  server->security_ = *std::move(security);
  if (server->metrics_ != nullptr) {
    absl::Status status = server->metrics_->Serve(
        options.metrics_listen, [self = server.get(), name = options.executor] {
          std::vector<SampledFamily> families = SampleEngine(*self->engine_, name);
          SampleAdmission(self->admission_.controller(), families);
          return families;
        });
    if (!status.ok()) return status;
  }
  if (absl::Status status = server->Listen(options); !status.ok()) return status;
  return server;
}

absl::Status Server::Listen(const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = -1;
  builder.AddListeningPort(options.listen, security_->Credentials(), &port);
  if (security_->transport() == Transport::kMutualTls)
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kMutualTlsConnectionAgeMs);
  // Two servers on one port would share its clients at random.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  ApplyGrpcLimits(LimitsFor(options), builder);
  builder.RegisterService(&service_);
  builder.RegisterService(&inference_service_);
  grpc_server_ = builder.BuildAndStart();
  const bool unix_socket = absl::StartsWith(options.listen, "unix:");
  if (grpc_server_ == nullptr || (port <= 0 && !unix_socket)) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", options.listen,
        ": the port is taken, or the address is not of this machine; give another with --listen"));
  }
  port_ = unix_socket ? 0 : port;
  return absl::OkStatus();
}

void Server::Stop() {
  StopCalls();
  if (metrics_ != nullptr) metrics_->StopServing();
}

void Server::StopCalls() {
  if (grpc_server_ == nullptr) {
    engine_->Drain();
    return;
  }
  grpc_server_->GetHealthCheckService()->SetServingStatus(false);
  inference_service_.StopServing();
  service_.StopStreams();
  engine_->Drain();
  std::this_thread::sleep_for(kRefusalTime);
  grpc_server_->Shutdown(std::chrono::system_clock::now() + drain_timeout_);
  grpc_server_.reset();
}

}  // namespace bitplex
