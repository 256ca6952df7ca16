// bitplex-server: start, wait for a signal, stop.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "model_store/util/map_fault.h"
#include "server/app/log.h"
#include "server/app/options.h"
#include "server/app/server.h"
#include "server/executor/choose_precision.h"

namespace bitplex {
namespace {

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void LogMemory(const MemoryReport& report) {
  for (const TaskMemory& task : report.tasks) {
    spdlog::info(
        "task name={} float32_model_mb={:.2f} store_mb={:.2f} materialized_mb={:.2f} "
        "materialized_type={}",
        Quoted(task.name), Megabytes(task.float32_model_bytes), Megabytes(task.store_bytes),
        Megabytes(task.materialized_bytes), Quoted(task.materialized_type));
  }
  spdlog::info(
      "memory store_mapped_mb={:.2f} store_resident_mb={:.2f} views_mb={:.2f} scratch_mb={:.2f} "
      "rss_mb={:.2f} "
      "private_dirty_mb={:.2f} baseline_rss_mb={:.2f} view_budget_mb={:.2f}",
      Megabytes(report.store_mapped_bytes), Megabytes(report.store_resident_bytes),
      Megabytes(report.view_bytes), Megabytes(report.scratch_bytes),
      Megabytes(report.process.rss_bytes), Megabytes(report.process.private_dirty_bytes),
      Megabytes(report.baseline_rss_bytes), Megabytes(report.views.budget_bytes));
  for (const auto& [name, saving] :
       {std::pair{"at_rest", report.at_rest}, std::pair{"now", report.now}}) {
    spdlog::info(
        "saving of={} held_mb={:.2f} separate_float32_mb={:.2f} saved_vs_float32_mb={:.2f} "
        "saved_vs_half_mb={:.2f}",
        name, Megabytes(saving.held_bytes), Megabytes(saving.separate_float32_bytes),
        static_cast<double>(saving.vs_float32()) / 1e6,
        static_cast<double>(saving.vs_half()) / 1e6);
  }
}

const char* NameOf(Transport transport) {
  switch (transport) {
    case Transport::kTls:
      return "tls";
    case Transport::kMutualTls:
      return "mutual_tls";
    case Transport::kPlaintext:
      break;
  }
  return "plaintext";
}

void LogPrecisions(const ServableSet& set) {
  for (const Servable& task : set.tasks) {
    const Precision precision = task.network->precision();
    spdlog::info("precision task={} type={} mantissa_bits={} rounded_again={}",
                 Quoted(task.info.name), PrecisionName(precision), task.source->mantissa_bits(),
                 RoundsAgain(*task.source, precision));
  }
}

// Reloads at SIGHUP on a thread of its own, so that a signal to stop is heard meanwhile.
class HangUpReloads {
 public:
  explicit HangUpReloads(Server& server) : server_(server) {}
  ~HangUpReloads() {
    if (thread_.joinable()) thread_.join();
  }
  // One that comes during a reload has it done again afterwards, once.
  void Begin() {
    if (wanted_.exchange(kAgain) != kIdle) return;
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([this] {
      int running;
      do {
        wanted_ = kRunning;
        // Logged there, whether it went well or not.
        server_.Reload("SIGHUP").IgnoreError();
        running = kRunning;
      } while (!wanted_.compare_exchange_strong(running, kIdle));
    });
  }

 private:
  enum { kIdle, kRunning, kAgain };
  Server& server_;
  std::atomic<int> wanted_ = kIdle;
  std::thread thread_;
};

// Stops, and sooner at a second signal. A reload that is asked for now is not done.
void Stop(Server& server, const sigset_t& signals) {
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    server.Stop();
    stopped = true;
  });
  while (!stopped) {
    const timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal != SIGTERM && signal != SIGINT) continue;
    spdlog::warn("cut_short signal={}", Quoted(strsignal(signal)));
    server.CutShort();
  }
  stopper.join();
}

int Run(const ServerOptions& options) {
  SetUpLog(options.log_level);
  if (absl::Status status = SurviveMapFaults(); !status.ok()) {
    std::fprintf(stderr, "bitplex-server: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  // Blocked in every thread that is started from here on, and waited for below.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options);
  if (!server.ok()) {
    std::fprintf(stderr, "bitplex-server: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  LogMemory((*server)->engine()->Memory());
  LogPrecisions((*server)->engine()->set());
  spdlog::info("security transport={} tokens={}", NameOf(options.security.transport()),
               options.security.token_file.empty() ? "none" : "required");
  spdlog::info(
      "ready listen={} port={} admin_port={} metrics_port={} executor={} workers={} max_batch={} "
      "max_delay_us={} queue={}",
      Quoted(options.listen), (*server)->port(), (*server)->admin_port(), (*server)->metrics_port(),
      Quoted(options.executor), options.engine.batcher.workers,
      options.engine.batcher.batch.max_batch, options.engine.batcher.batch.max_delay.count(),
      options.engine.batcher.batch.queue_capacity);
  int signal = 0;
  HangUpReloads reloads(**server);
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) reloads.Begin();
  spdlog::info("stopping signal={}", Quoted(strsignal(signal)));
  Stop(**server, signals);
  LogMemory((*server)->engine()->Memory());
  spdlog::info("stopped");
  return 0;
}

}  // namespace
}  // namespace bitplex

int main(int argc, char** argv) {
  const bitplex::ParsedOptions parsed = bitplex::ParseServerOptions(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  return bitplex::Run(*parsed.options);
}
