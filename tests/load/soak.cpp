// Correctness soak: sends a mixed load to a server and compares every answer, to the bit, with the
// precomputed right one. See README.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/load/senders.h"
#include "tests/load/server_process.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::load {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kSampleTime = std::chrono::milliseconds(200);
constexpr auto kPatience = std::chrono::seconds(60);  // Without any answer.

struct Options {
  uint64_t requests = 20'000;
  uint64_t reloads = 0;
  size_t view_budget_mib = 1;
  size_t workers = 2;
  size_t max_batch = 8;
  size_t queue = 14;
  double most_growth_mb = 2;
  SenderOptions senders;
};

// One float32 view of a network takes 0.3 MiB: five of those, one in bfloat16 and one in int8 do
// not fit into 1 MiB together.
FuseTask Task(size_t index, unsigned bits, uint32_t seed) {
  const Architecture& arch = test::TinyArch();
  FuseTask task = test::RandomTask(arch, {.name = absl::StrCat("task", index),
                                          .bits = bits,
                                          .classes = 3 + index,
                                          .channel_exponents = index % 2 == 1,
                                          .seed = seed + static_cast<uint32_t>(index)});
  task.info.activation_scales.assign(arch.convs.size() + 1, 0.03f);
  return task;
}

std::string MakeSoakStore(const std::string& name, uint32_t seed) {
  std::vector<FuseTask> tasks;
  for (const unsigned bits : {12u, 11u, 10u, 9u, 9u, 8u, 5u})
    tasks.push_back(Task(tasks.size(), bits, seed));
  const std::string path = test::TempPath(name);
  test::WriteBytes(path, test::StoreBytes(test::TinyArch(), tasks));
  return path;
}

struct Rss {
  void Sample(const ServerProcess& server) {
    const uint64_t now = server.RssBytes();
    if (now == 0) return;
    if (first == 0) first = now;
    last = now;
    most = std::max(most, now);
  }
  uint64_t first = 0, last = 0, most = 0;
};

double Mb(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// Puts a store in place of the one that is served, as `bitplex fuse` would, and asks the server to
// load it.
void Replace(const std::vector<uint8_t>& bytes, const std::string& served, ServerProcess& server) {
  const std::string fresh = served + ".new";
  test::WriteBytes(fresh, bytes);
  fs::rename(fresh, served);
  server.Signal(SIGHUP);
}

// One that must be refused: cut short, or with a changed byte.
std::vector<uint8_t> Damaged(std::vector<uint8_t> bytes, uint64_t number) {
  if (number % 2 == 0) {
    bytes.resize(bytes.size() / 2);
  } else {
    bytes[bytes.size() / 2] ^= 1;
  }
  return bytes;
}

bool Report(const SoakRun& run, const Options& options, double seconds, const Rss& rss,
            uint64_t reloads, int exit_code) {
  const SoakCounts counts = run.Counts();
  const auto show = [](const char* name, uint64_t value) {
    std::printf("%-24s %12llu\n", name, static_cast<unsigned long long>(value));
  };
  show("requests", run.given_out());
  show("right", counts.right);
  show("wrong", counts.wrong);
  show("stale", counts.stale);
  show("lost", counts.lost);
  show("refused, sent again", counts.refused);
  show("answers: Classify", counts.by_call[0]);
  show("answers: ClassifyStream", counts.by_call[1]);
  show("answers: ModelInfer", counts.by_call[2]);
  show("streams", counts.streams);
  show("reloads", reloads);
  std::printf("%-24s %12d\n", "exit code of the server", exit_code);
  std::printf("%-24s %12.1f\n%-24s %12.0f\n", "seconds", seconds, "requests/s",
              static_cast<double>(run.done()) / seconds);
  std::printf("%-24s %12.2f\n%-24s %12.2f\n%-24s %12.2f\n", "RSS first, MB", Mb(rss.first),
              "RSS last, MB", Mb(rss.last), "RSS most, MB", Mb(rss.most));
  const double growth_mb = Mb(rss.last) - Mb(rss.first);
  std::printf("%-24s %+12.2f\n", "RSS grew by, MB", growth_mb);
  return counts.right == run.given_out() && counts.wrong == 0 && counts.lost == 0 &&
         counts.stale == 0 && reloads == options.reloads && exit_code == 0 &&
         growth_mb <= options.most_growth_mb;
}

// Replaces the store again and again while the load goes on, each time by a damaged one first.
class Reloads {
 public:
  Reloads(const std::vector<std::string>& stores, const std::string& served, uint64_t wanted)
      : served_(served), wanted_(wanted) {
    for (const std::string& path : stores) bytes_.push_back(test::ReadBytes(path));
  }

  // Does the next thing that is due after `share` of the load; call it often. False when the server
  // does not take a store.
  bool Step(double share, SoakRun& run, ServerProcess& server) {
    const auto waited = Clock::now() - last_;
    if (!run.Replaced()) return waited < kPatience;
    if (Finished() || share * static_cast<double>(wanted_ + 1) < static_cast<double>(asked_ + 1))
      return true;
    const std::vector<uint8_t>& next = bytes_[(asked_ + 1) % bytes_.size()];
    if (offered_damaged_ == asked_) {
      Replace(Damaged(next, asked_), served_, server);
      ++offered_damaged_;
      last_ = Clock::now();
    } else if (waited > kDamagedTime) {
      run.Replacing();
      Replace(next, served_, server);
      ++asked_;
      last_ = Clock::now();
    }
    return true;
  }

  bool Finished() const { return asked_ == wanted_; }
  uint64_t asked() const { return asked_; }

 private:
  static constexpr auto kDamagedTime = std::chrono::seconds(1);  // To look at a damaged one.

  const std::string served_;
  const uint64_t wanted_;
  std::vector<std::vector<uint8_t>> bytes_;
  uint64_t offered_damaged_ = 0;
  uint64_t asked_ = 0;
  Clock::time_point last_ = Clock::now();
};

// Until all is answered. Returns how many replacements were seen in answers.
uint64_t Watch(SoakRun& run, const Options& options, Reloads reloads, ServerProcess& server,
               Rss& rss) {
  uint64_t last_done = 0;
  double next_note = 0.1;  // Of the share that is done, when it takes minutes.
  Clock::time_point last_answer = Clock::now();
  while (!run.Finished()) {
    std::this_thread::sleep_for(kSampleTime);
    const uint64_t done = run.done();
    if (done != last_done) last_answer = Clock::now();
    last_done = done;
    if (Clock::now() - last_answer > kPatience) {
      std::fprintf(stderr, "soak: no answer for a minute; %llu requests ended\n",
                   static_cast<unsigned long long>(done));
      std::_Exit(1);  // The calls in flight would be waited for.
    }
    // After the first tenth everything that is allocated once has been.
    const double share = static_cast<double>(done) / static_cast<double>(options.requests);
    if (share >= 0.1) rss.Sample(server);
    if (share >= next_note && options.requests >= 100'000) {
      std::fprintf(stderr, "soak: %.0f %%, %llu reloads\n", 100 * share,
                   static_cast<unsigned long long>(reloads.asked()));
      next_note += 0.1;
    }
    const bool taken = reloads.Step(share, run, server);
    if (!taken || (reloads.Finished() && run.Replaced())) run.LetEnd();
  }
  return run.Replaced() ? reloads.asked() : reloads.asked() - 1;
}

uint64_t Times(const std::string& text, const std::string& words) {
  uint64_t times = 0;
  for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1))
    ++times;
  return times;
}

int Run(const Options& options) {
  const std::vector<std::string> stores = {MakeSoakStore("soak_a.bpx", 100),
                                           MakeSoakStore("soak_b.bpx", 200)};
  const std::string served = test::TempPath("soak.bpx");
  fs::copy_file(stores[0], served, fs::copy_options::overwrite_existing);
  const std::vector<Picture> pictures = MakePictures(test::TinyArch());
  const Answers answers(stores, pictures);
  const MixedRequests requests(answers, pictures);
  SoakRun run(answers, requests, options.requests);
  ServerProcess server({"--store", served, "--view-budget-mib",
                        absl::StrCat(options.view_budget_mib), "--workers",
                        absl::StrCat(options.workers), "--no-pinning", "--max-batch",
                        absl::StrCat(options.max_batch), "--queue", absl::StrCat(options.queue)});
  Rss rss;
  uint64_t reloads = 0;
  const Clock::time_point start = Clock::now();
  {
    const Senders senders(server.address(), options.senders, run);
    reloads = Watch(run, options, Reloads(stores, served, options.reloads), server, rss);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const auto memory = MemoryOf(server.address());
  server.Signal(SIGTERM);
  const int exit_code = server.Wait();
  const uint64_t failed_reloads = Times(server.output(), " reload_failed ");
  bool good = Report(run, options, seconds, rss, reloads, exit_code);
  good = good && failed_reloads == options.reloads;
  std::printf("%-24s %12llu\n", "damaged stores refused",
              static_cast<unsigned long long>(failed_reloads));
  std::printf("%-24s %12llu\n%-24s %12llu\n", "views made, last store",
              static_cast<unsigned long long>(memory.views().materializations()),
              "views given back", static_cast<unsigned long long>(memory.views().evictions()));
  std::printf("soak: %s\n", good ? "good" : "BAD");
  for (const std::string& path : {stores[0], stores[1], served}) fs::remove(path);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace bitplex::load

int main(int argc, char** argv) {
  bitplex::load::Options options;
  CLI::App app("Sends a mixed load to a server and compares every answer with the right one.");
  app.option_defaults()->always_capture_default();
  app.add_option("--requests", options.requests, "Requests to send")->check(CLI::PositiveNumber);
  app.add_option("--reloads", options.reloads, "Times that the store is replaced under the load");
  app.add_option("--view-budget-mib", options.view_budget_mib, "As the server's");
  app.add_option("--workers", options.workers, "As the server's");
  app.add_option("--max-batch", options.max_batch, "As the server's");
  app.add_option("--queue", options.queue, "As the server's");
  app.add_option("--most-growth-mb", options.most_growth_mb,
                 "RSS may grow by so much after the first tenth of the requests");
  app.add_option("--unary", options.senders.unary, "Classify calls in flight");
  app.add_option("--infer", options.senders.infer, "ModelInfer calls in flight");
  app.add_option("--streams", options.senders.streams, "ClassifyStream calls at a time");
  app.add_option("--window", options.senders.stream_window, "Requests in flight of each stream");
  CLI11_PARSE(app, argc, argv);
  return bitplex::load::Run(options);
}
