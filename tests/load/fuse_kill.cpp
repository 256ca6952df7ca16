// `bitplex fuse` killed at any moment, over a store that is there: what is left is the old store or
// the new one, whole. See README.md.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/load/fuse_workshop.h"

namespace bitplex::load {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::microseconds;

struct Options {
  int kills = 20;
  uint32_t seed = 1;
};

struct Counts {
  int old_store = 0, new_store = 0, damaged = 0;
  int killed = 0;
  int finished = 0;   // Runs that ended before they were killed.
  int left_over = 0;  // Temporary files.
};

void KillOnce(FuseWorkshop& shop, size_t which, Microseconds delay, Counts& counts) {
  test::ChildProcess tool("bitplex", shop.FuseArguments(which));
  std::this_thread::sleep_for(delay);
  tool.Signal(SIGKILL);
  ++(tool.Wait() == -SIGKILL ? counts.killed : counts.finished);
}

int Run(const Options& options) {
  FuseWorkshop shop;
  const Clock::time_point start = Clock::now();
  shop.Fuse(1);
  const auto whole = std::chrono::duration_cast<Microseconds>(Clock::now() - start);
  shop.Fuse(0);
  std::mt19937 random(options.seed);
  Counts counts;
  size_t present = 0;
  for (int kill = 0; counts.killed < options.kills; ++kill) {
    // Half of them at any moment, half in the second half, when the file is written.
    const int64_t from = kill % 2 == 0 ? 0 : whole.count() / 2;
    const int64_t span = whole.count() * 11 / 10 - from;
    KillOnce(shop, 1 - present, Microseconds(from + random() % span), counts);
    const auto found = shop.Which();
    test::ChildProcess verify("bitplex", {"verify", shop.store()});
    if (!found || verify.Wait() != 0) {
      ++counts.damaged;
      std::fprintf(stderr, "kill %d left a damaged store\n", kill);
      shop.Fuse(present);
      continue;
    }
    ++(*found == present ? counts.old_store : counts.new_store);
    present = *found;
    for (const std::string& path : shop.LeftOvers()) {
      ++counts.left_over;
      fs::remove(path);
    }
  }
  std::printf(
      "killed %d times (%d runs ended before): old store %d, new store %d, damaged %d; "
      "temporary files left %d\n",
      counts.killed, counts.finished, counts.old_store, counts.new_store, counts.damaged,
      counts.left_over);
  const bool good = counts.damaged == 0;
  std::printf("fuse_kill: %s\n", good ? "good" : "BAD");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace bitplex::load

int main(int argc, char** argv) {
  bitplex::load::Options options;
  CLI::App app("Kills `bitplex fuse` at random moments.");
  app.option_defaults()->always_capture_default();
  app.add_option("--kills", options.kills, "Times")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the moments");
  CLI11_PARSE(app, argc, argv);
  return bitplex::load::Run(options);
}
