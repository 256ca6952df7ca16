// Overload: what a server is worth when ten times as much is asked of it as it can do, and whether
// a flood on one task starves another. See README.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/load/flood.h"
#include "tests/load/server_process.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::load {
namespace {

struct Options {
  std::string store;
  std::string precision = "auto";
  double factor = 10;
  double seconds = 60;
  double saturation_seconds = 20;
  size_t in_flight = 32;
  size_t view_budget_mib = 128;
  int deadline_ms = 1000;
  double quiet_rate = 20;
  size_t workers = 1;
  std::vector<int> server_cpus;
  std::vector<int> client_cpus;
  std::vector<std::string> server_options;
  bool check = false;
};

// Prints one line for each number, and remembers whether all were as wanted.
class Table {
 public:
  void Show(const char* name, double value, const char* unit) {
    std::printf("%-44s %10.2f %s\n", name, value, unit);
  }
  void Show(const char* name, double value, const char* unit, bool good, const char* wanted) {
    std::printf("%-44s %10.2f %-10s %s (%s)\n", name, value, unit, good ? "good" : "BAD", wanted);
    all_good_ = all_good_ && good;
  }
  bool all_good() const { return all_good_; }

 private:
  bool all_good_ = true;
};

// The most that a server held between the beginning and the end.
class RssWatch {
 public:
  explicit RssWatch(const ServerProcess& server)
      : thread_([this, &server] {
          while (!stop_) {
            most_ = std::max(most_, server.RssBytes());
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
          }
        }) {}
  ~RssWatch() {
    if (thread_.joinable()) thread_.join();
  }
  double StopMb() {
    stop_ = true;
    thread_.join();
    return static_cast<double>(most_) / 1e6;
  }

 private:
  std::atomic<bool> stop_{false};
  uint64_t most_ = 0;
  std::thread thread_;
};

std::vector<v1::ClassifyRequest> Requests(const std::vector<std::string>& tasks) {
  std::vector<v1::ClassifyRequest> requests;
  for (const std::string& task : tasks) {
    for (uint32_t seed = 0; seed < 4; ++seed)
      requests.push_back(test::RawRequest(task, 32, 32, seed));
  }
  return requests;
}

std::vector<std::string> TaskNames(const std::string& store) {
  const auto opened = FusedStore::Open(store);
  if (!opened.ok() || (*opened)->tasks().size() < 2) {
    std::fprintf(stderr, "overload: %s\n",
                 opened.ok() ? "the store has one task; two are needed"
                             : opened.status().ToString().c_str());
    std::exit(2);
  }
  std::vector<std::string> names;
  for (const TaskInfo& task : (*opened)->tasks()) names.push_back(task.name);
  return names;
}

// Whatever is neither an answer nor a refusal.
size_t ShowFailures(const FloodResult& result) {
  for (const auto& [error, times] : result.failed)
    std::printf("failed %zu times: %s\n", times, error.c_str());
  return result.failures();
}

struct Bench {
  const Options& options;
  ServerProcess& server;
  Table& table;
  size_t failures = 0;

  FloodOptions Plan(const std::vector<std::string>& tasks, double seconds) const {
    FloodOptions flood;
    flood.address = server.address();
    flood.requests = Requests(tasks);
    flood.seconds = seconds;
    flood.deadline = std::chrono::milliseconds(options.deadline_ms);
    return flood;
  }

  // All tasks in turn. Returns answers a second.
  double Saturate(const std::vector<std::string>& tasks, double& rss_mb) {
    FloodOptions plan = Plan(tasks, 2);
    plan.in_flight = options.in_flight;
    plan.deadline *= 30;  // What can be answered at all.
    Flood(plan);          // Views, buffers and connections.
    plan.seconds = options.saturation_seconds;
    RssWatch rss(server);
    const FloodResult result = Flood(plan);
    rss_mb = rss.StopMb();
    failures += ShowFailures(result);
    table.Show("saturation: answers", result.accepted_per_s(), "1/s");
    table.Show("saturation: p99", Percentile(result.accepted_ms, 0.99), "ms");
    table.Show("saturation: refused or expired",
               static_cast<double>(result.refused_ms.size() + result.expired_ms.size()), "calls");
    table.Show("saturation: RSS, most", rss_mb, "MB");
    return result.accepted_per_s();
  }

  void Overload(const std::vector<std::string>& tasks, double saturation_per_s,
                double saturation_rss_mb) {
    FloodOptions plan = Plan(tasks, options.seconds);
    plan.rate_per_s = saturation_per_s * options.factor;
    RssWatch rss(server);
    const FloodResult result = Flood(plan);
    const double rss_mb = rss.StopMb();
    failures += ShowFailures(result);
    const double goodput = result.accepted_per_s() / saturation_per_s;
    table.Show("overload: offered", static_cast<double>(result.sent()) / result.seconds, "1/s");
    table.Show("overload: sender late by, most", result.behind_ms, "ms");
    table.Show("overload: answers", result.accepted_per_s(), "1/s");
    table.Show("overload: goodput / saturation", goodput, "", goodput >= 0.95, "0.95 or more");
    table.Show("overload: RSS, most", rss_mb, "MB");
    table.Show("overload: RSS / saturation", rss_mb / saturation_rss_mb, "",
               rss_mb <= 1.1 * saturation_rss_mb, "1.10 or less");
    const double p99 = Percentile(result.accepted_ms, 0.99);
    table.Show("overload: p99 of answers", p99, "ms", p99 <= options.deadline_ms,
               "within the deadline");
    table.Show("overload: refused", static_cast<double>(result.refused_ms.size()), "calls");
    const double refused_p99 = Percentile(result.refused_ms, 0.99);
    table.Show("overload: p50 of refusals", Percentile(result.refused_ms, 0.5), "ms");
    table.Show("overload: p99 of refusals", refused_p99, "ms", refused_p99 < 10, "below 10");
    table.Show("overload: expired unanswered", static_cast<double>(result.expired_ms.size()),
               "calls");
  }

  // A few requests for `victim`, by themselves and beside a flood on `flooded`.
  void Starve(const std::string& flooded, const std::string& victim, double saturation_per_s) {
    FloodOptions few = Plan({victim}, options.seconds);
    few.rate_per_s = options.quiet_rate;
    few.connections = 1;
    const FloodResult quiet = Flood(few);
    FloodOptions many = Plan({flooded}, options.seconds);
    many.rate_per_s = saturation_per_s * options.factor;
    FloodResult flood;
    std::thread flooding([&] { flood = Flood(many); });
    const FloodResult beside = Flood(few);
    flooding.join();
    failures += ShowFailures(quiet) + ShowFailures(beside) + ShowFailures(flood);
    const double quiet_p99 = Percentile(quiet.accepted_ms, 0.99);
    const double p99 = Percentile(beside.accepted_ms, 0.99);
    const double batch = Percentile(flood.compute_ms, 0.5);
    const double most = 2 * quiet_p99 + batch;
    table.Show("starvation: p50 when quiet", Percentile(quiet.accepted_ms, 0.5), "ms");
    table.Show("starvation: p99 when quiet", quiet_p99, "ms");
    table.Show("starvation: a batch of the flood, p50", batch, "ms");
    table.Show("starvation: p50 beside the flood", Percentile(beside.accepted_ms, 0.5), "ms");
    table.Show("starvation: of it in the queue, p50", Percentile(beside.queue_ms, 0.5), "ms");
    table.Show("starvation: of it in the network, p50", Percentile(beside.compute_ms, 0.5), "ms");
    table.Show("starvation: p99 beside the flood", p99, "ms", p99 <= most,
               absl::StrCat(static_cast<int>(most), " or less").c_str());
    table.Show("starvation: refused or expired beside it",
               static_cast<double>(beside.refused_ms.size() + beside.expired_ms.size()), "calls");
  }
};

int Run(const Options& options) {
  const std::vector<std::string> tasks = TaskNames(options.store);
  std::vector<std::string> arguments = {"--store",           options.store,
                                        "--precision",       options.precision,
                                        "--workers",         absl::StrCat(options.workers),
                                        "--view-budget-mib", absl::StrCat(options.view_budget_mib)};
  arguments.insert(arguments.end(), options.server_options.begin(), options.server_options.end());
  ServerProcess server(arguments, options.server_cpus);
  RunOn(options.client_cpus);
  Table table;
  Bench bench{options, server, table};
  double rss_mb = 0;
  const double saturation_per_s = bench.Saturate(tasks, rss_mb);
  bench.Overload(tasks, saturation_per_s, rss_mb);
  bench.Starve(tasks[0], tasks[1], saturation_per_s);
  server.Signal(SIGTERM);
  const int exit_code = server.Wait();
  table.Show("exit code of the server", exit_code, "");
  table.Show("calls that failed", static_cast<double>(bench.failures), "");
  if (exit_code != 0 || bench.failures != 0) return 1;
  return options.check && !table.all_good() ? 1 : 0;
}

}  // namespace
}  // namespace bitplex::load

int main(int argc, char** argv) {
  bitplex::load::Options options;
  options.store = BITPLEX_STORES_DIR "/cifar.bpx";
  CLI::App app("Asks far more of a server than it can do, and measures what it does.");
  app.option_defaults()->always_capture_default();
  app.add_option("--store", options.store, "A store with two tasks of 32 x 32 pixels, or more");
  app.add_option("--precision", options.precision, "As the server's");
  app.add_option("--view-budget-mib", options.view_budget_mib, "As the server's");
  app.add_option("--workers", options.workers, "As the server's");
  app.add_option("--factor", options.factor, "Load offered, as a multiple of what was measured");
  app.add_option("--seconds", options.seconds, "Of each part");
  app.add_option("--saturation-seconds", options.saturation_seconds, "Of measuring that");
  app.add_option("--in-flight", options.in_flight, "Calls in flight while measuring that");
  app.add_option("--deadline-ms", options.deadline_ms, "Of every call");
  app.add_option("--quiet-rate", options.quiet_rate, "Requests a second for the other task");
  app.add_option("--server-cpus", options.server_cpus, "Processors of the server")->delimiter(',');
  app.add_option("--client-cpus", options.client_cpus, "Processors of the load")->delimiter(',');
  app.add_option("--server-option", options.server_options,
                 "One word more of the server's command line; may be given again")
      ->allow_extra_args(false);
  app.add_flag("--check", options.check, "Exit with 1 when a number is not as wanted");
  CLI11_PARSE(app, argc, argv);
  return bitplex::load::Run(options);
}
