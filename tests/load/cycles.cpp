// Memory after many views made and given back: two tasks in turn, with room for the view of one.
// See README.md.
#include <grpcpp/create_channel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "bitplex/v1/classifier.grpc.pb.h"
#include "tests/load/server_process.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::load {
namespace {

constexpr uint64_t kFirstCycles = 10;
constexpr double kMostGrowthMb = 2;

int Run(const std::string& store, uint64_t cycles, size_t view_budget_mib) {
  ServerProcess server(
      {"--store", store, "--workers", "1", "--view-budget-mib", absl::StrCat(view_budget_mib)});
  const auto stub = v1::Classifier::NewStub(
      grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials()));
  const auto rss_mb = [&] { return static_cast<double>(server.RssBytes()) / 1e6; };
  double first = 0;
  double most = 0;
  for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
    for (const char* task : {"cifar10", "cifar100"}) {
      grpc::ClientContext context;
      v1::ClassifyResponse response;
      const grpc::Status status =
          stub->Classify(&context, test::RawRequest(task, 32, 32, 1), &response);
      if (status.ok()) continue;
      std::fprintf(stderr, "cycles: %s\n", status.error_message().c_str());
      return 1;
    }
    if (cycle + 1 == kFirstCycles) first = rss_mb();
    if (cycle + 1 >= kFirstCycles) most = std::max(most, rss_mb());
  }
  const double last = rss_mb();
  const v1::ViewCacheStats views = MemoryOf(server.address()).views();
  server.Signal(SIGTERM);
  const int exit_code = server.Wait();
  std::printf("RSS after %5llu cycles %8.2f MB\n", static_cast<unsigned long long>(kFirstCycles),
              first);
  std::printf("RSS after %5llu cycles %8.2f MB, %+.2f MB\n",
              static_cast<unsigned long long>(cycles), last, last - first);
  std::printf("RSS, most between      %8.2f MB\n", most);
  std::printf("views made %llu, given back %llu, server's exit code %d\n",
              static_cast<unsigned long long>(views.materializations()),
              static_cast<unsigned long long>(views.evictions()), exit_code);
  // Each request made its view, and each but the first put the other's out.
  const bool cycled = views.materializations() == 2 * cycles && views.evictions() == 2 * cycles - 1;
  const bool good = cycled && exit_code == 0 && last - first <= kMostGrowthMb;
  std::printf("cycles: %s\n", good ? "good" : "BAD");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace bitplex::load

int main(int argc, char** argv) {
  std::string store = BITPLEX_STORES_DIR "/cifar.bpx";
  uint64_t cycles = 200;
  size_t view_budget_mib = 12;
  CLI::App app("Makes the views of two tasks in turn, with room for one of them.");
  app.option_defaults()->always_capture_default();
  app.add_option("--store", store, "A store with the tasks cifar10 and cifar100");
  app.add_option("--cycles", cycles, "Times that both views are made")
      ->check(CLI::Range(uint64_t{11}, uint64_t{1} << 40));
  app.add_option("--view-budget-mib", view_budget_mib, "As the server's; the room for one view");
  CLI11_PARSE(app, argc, argv);
  return bitplex::load::Run(store, cycles, view_budget_mib);
}
