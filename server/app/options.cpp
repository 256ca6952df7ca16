#include "server/app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "model_store/util/empty_values.h"
#include "server/serving/cores.h"

namespace bitplex {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Numbers as they stand on the command line, in the units of their option's name.
struct RawNumbers {
  size_t workers = UsableCores();
  size_t max_batch = BatchOptions().max_batch;
  size_t max_delay_us = 0;
  size_t queue = BatchOptions().queue_capacity;
  std::optional<size_t> view_budget_mib;
  size_t scratch_buffers = 1;
  size_t max_image_mib = ImageLimits().max_encoded_bytes / kMiB;
  size_t max_image_megapixels = ImageLimits().max_pixels / 1'000'000;
  size_t watch_store_ms = 0;
  size_t drain_delay_ms = 0;
  size_t max_inflight_mib = AdmissionLimits().max_inflight_bytes / kMiB;
  size_t max_client_inflight = AdmissionLimits().max_client_inflight;
  size_t write_timeout_ms = static_cast<size_t>(CallAdmissionOptions().write_timeout.count());
  size_t max_connection_calls = static_cast<size_t>(GrpcLimits().max_connection_calls);
  size_t drain_timeout_ms = 30'000;
  bool no_pinning = false;
};

void AddSources(CLI::App& app, ServerOptions& options) {
  CLI::Option* const store =
      app.add_option("--store", options.store, "The weight store to serve (*.bpx)");
  CLI::Option* const separate = app.add_option(
      "--separate", options.separate,
      "Instead of a store: "
      "NAME=CHECKPOINT[,labels=FILE,mean=R,G,B,std=R,G,B][,NAME=CHECKPOINT...], one plain "
      "float32 model per task, to compare with");
  store->excludes(separate);
  app.add_option("--arch", options.arch,
                 "Architecture of the separate checkpoints (default: told by their tensors)")
      ->needs(separate);
  app.add_option("--listen", options.listen,
                 "Address and port, or unix:PATH; port 0 takes a free one")
      ->capture_default_str();
  app.add_option(
      "--admin-listen", options.admin_listen,
      "Address and port, or unix:PATH, of the administrative calls (reload, evict). Beyond "
      "this machine it needs TLS and --admin-token-file (default: none)");
  app.add_option("--metrics-listen", options.metrics_listen,
                 "IPv4 address and port of Prometheus metrics, GET /metrics, in plain HTTP without "
                 "tokens; port 0 takes a free one. Costs two threads, and a few locks of one "
                 "histogram each for every image (default: none)")
      ->type_name("HOST:PORT");
  static const std::map<std::string, Reading> kReadings = {{"mask", Reading::kMask},
                                                           {"dither", Reading::kDither}};
  app.add_option_function<std::string>(
         "--reading", [&options](const std::string& name) { options.reading = kReadings.at(name); },
         "mask: each task's own bits; dither: the lower tasks' bits left in")
      ->check(CLI::IsMember(kReadings))
      ->default_str("mask");
  app.add_option("--executor", options.executor,
                 "What runs the networks: onednn, or libtorch, the slower reference")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--precision",
         [&options](const std::string& name) { options.precision = PrecisionFromName(name); },
         "Type of the arithmetic and of materialised weights. auto: the narrowest that is exact "
         "for "
         "each task's stored weights (s8 to 7 mantissa bits with activation scales, bf16 to 8) and "
         "fast on this processor. A narrower one by name rounds the weights again")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "s8"}))
      ->default_str("auto");
}

void AddSecurity(CLI::App& app, SecurityOptions& security) {
  CLI::Option* const cert =
      app.add_option("--tls-cert", security.tls_cert,
                     "Certificate of the server, then those up to its root (PEM): encrypts all "
                     "connections. Read again when it changes")
          ->type_name("FILE");
  CLI::Option* const key =
      app.add_option("--tls-key", security.tls_key, "Private key of the certificate (PEM)")
          ->type_name("FILE")
          ->needs(cert);
  cert->needs(key);
  app.add_option("--tls-client-ca", security.tls_client_ca,
                 "Authorities (PEM): clients must show a certificate that one of them signed")
      ->type_name("FILE")
      ->needs(cert);
  app.add_option("--token-file", security.token_file,
                 "Tokens, one a line: calls must carry one as 'authorization: Bearer TOKEN', but "
                 "for health checks. Read again when it changes")
      ->type_name("FILE");
  app.add_flag("--insecure-metrics", security.insecure_metrics,
               "Serve metrics where other machines can reach them, on a network that is protected "
               "by other means");
  app.add_flag("--insecure", security.insecure,
               "Listen without TLS where other machines can reach it, on a network that is "
               "protected by other means")
      ->excludes(cert);
}

void AddLifeCycle(CLI::App& app, ServerOptions& options, RawNumbers& numbers) {
  app.add_option("--admin-token-file", options.admin_token_file,
                 "Tokens of the administrative calls, as --token-file")
      ->type_name("FILE")
      ->needs("--admin-listen");
  app.add_flag("--warm-up", options.warm_up,
               "Make views and generated code of all tasks before the first request, not with it. "
               "Costs their memory from the start, and a longer start");
  app.add_option("--watch-store-ms", numbers.watch_store_ms,
                 "Look this often, every second at least, whether another file was put in the "
                 "store's place, and then "
                 "reload it; SIGHUP reloads at any time. 0: never")
      ->check(CLI::Range(0, 86'400'000))
      ->capture_default_str();
  app.add_option("--drain-delay-ms", numbers.drain_delay_ms,
                 "After SIGTERM or SIGINT: how long to go on as before but for the health, which "
                 "says NOT_SERVING, so that load balancers send no more; milliseconds")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  app.add_option("--drain-timeout-ms", numbers.drain_timeout_ms,
                 "After the delay: how long admitted requests may take to finish, milliseconds. A "
                 "second signal cuts both short")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
}

void AddNumbers(CLI::App& app, RawNumbers& numbers) {
  app.add_option("--view-budget-mib", numbers.view_budget_mib,
                 "MiB that materialised weights may hold. More: fewer materialisations when tasks "
                 "alternate. 0: none is kept, each batch decodes layer by layer. Default: half of "
                 "what separate float32 models would hold, and room for one view at least")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--workers", numbers.workers,
                 "Threads that run batches, one core each. More than the cores only adds latency. "
                 "Default: the usable "
                 "cores")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag("--no-pinning", numbers.no_pinning,
               "Let the system move workers between processors. Right where several servers share "
               "the same ones; otherwise each worker stays on one, and its caches stay warm");
  app.add_option(
         "--max-batch", numbers.max_batch,
         "Most images that run together. More: higher throughput up to a point, and latency")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-delay-us", numbers.max_delay_us,
                 "Microseconds an image may wait for others to join its batch. 0: batches form "
                 "only while workers are "
                 "busy")
      ->check(CLI::Range(0, 60'000'000))
      ->capture_default_str();
  app.add_option("--queue", numbers.queue,
                 "Most images that wait for one task; beyond, requests are refused at once. More: "
                 "longer waits, and memory")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--scratch-buffers", numbers.scratch_buffers,
                 "Batches that may decode layer by layer at the same time; each holds one "
                 "layer, for ResNet18 2.4 MB in s8 and 9.4 MB in f32")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-image-mib", numbers.max_image_mib, "Largest encoded image, MiB")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-image-megapixels", numbers.max_image_megapixels,
                 "Most pixels of an image, millions")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void AddAdmission(CLI::App& app, RawNumbers& numbers) {
  app.add_option("--max-inflight-mib", numbers.max_inflight_mib,
                 "MiB that requests may hold together from when they have come until they are "
                 "answered; beyond, they are refused at once. gRPC may buffer as much again for "
                 "messages that are still coming. More: memory")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-client-inflight", numbers.max_client_inflight,
                 "Most requests in flight of one client: one token, or else one certificate, or "
                 "else one address. More: one client can take more of the queues. 0: no limit, "
                 "for servers behind a proxy that carries everybody")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-connection-calls", numbers.max_connection_calls,
                 "Most calls at the same time over one connection; a client's gRPC holds back "
                 "more. More: one connection can hold more")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--write-timeout-ms", numbers.write_timeout_ms,
                 "Milliseconds that a client may leave an answer unread; then its call is "
                 "cancelled. More: clients that stall hold what they hold for longer")
      ->check(CLI::Range(1, 3'600'000))
      ->capture_default_str();
}

void Apply(const RawNumbers& numbers, ServerOptions& options) {
  EngineOptions& engine = options.engine;
  engine.batcher.workers = numbers.workers;
  engine.batcher.pin_workers = !numbers.no_pinning;
  engine.batcher.batch.max_batch = numbers.max_batch;
  engine.batcher.batch.max_delay = std::chrono::microseconds(numbers.max_delay_us);
  engine.batcher.batch.queue_capacity = numbers.queue;
  engine.scratch_buffers = numbers.scratch_buffers;
  engine.images.max_encoded_bytes = numbers.max_image_mib * kMiB;
  engine.images.max_pixels = numbers.max_image_megapixels * 1'000'000;
  if (numbers.view_budget_mib) options.view_budget_bytes = *numbers.view_budget_mib * kMiB;
  options.watch_store = std::chrono::milliseconds(numbers.watch_store_ms);
  options.drain_delay = std::chrono::milliseconds(numbers.drain_delay_ms);
  options.admission.limits.max_inflight_bytes = numbers.max_inflight_mib * kMiB;
  options.admission.limits.max_client_inflight = numbers.max_client_inflight;
  options.admission.write_timeout = std::chrono::milliseconds(numbers.write_timeout_ms);
  options.grpc.max_connection_calls = static_cast<int>(numbers.max_connection_calls);
  options.drain_timeout = std::chrono::milliseconds(numbers.drain_timeout_ms);
}

}  // namespace

ParsedOptions ParseServerOptions(int argc, char** argv) {
  CLI::App app("Serves several image classifiers from one fused weight store over gRPC.");
  app.set_version_flag("--version", "bitplex-server " BITPLEX_VERSION);
  ServerOptions options;
  RawNumbers numbers;
  AddSources(app, options);
  AddSecurity(app, options.security);
  AddNumbers(app, numbers);
  AddLifeCycle(app, options, numbers);
  AddAdmission(app, numbers);
  app.add_option("--log-level", options.log_level, "How much to log")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.callback([&] {
    if (options.store.empty() && options.separate.empty())
      throw CLI::RequiredError("--store or --separate");
  });
  try {
    app.parse(argc, argv);
    RefuseEmptyValues(app);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
  }
  Apply(numbers, options);
  return {options, 0};
}

}  // namespace bitplex
