// The executors alone on one thread, without gRPC: what a server's throughput is measured against.
// Items are images. Weights are random; their values do not change the work.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model_store/format/fused_store.h"
#include "server/executor/executor.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

constexpr size_t kClasses = 10;

// A ResNet18 whose weights are exact in int8, with activation scales that keep its random numbers
// within 8 bits.
std::shared_ptr<const WeightSource> RandomWeights() {
  static const std::shared_ptr<const FusedStore> store = [] {
    const Architecture& arch = test::Arch("resnet18-cifar");
    FuseTask task =
        test::RandomTask(arch, {.name = "a", .bits = 7, .classes = kClasses, .seed = 1});
    task.info.activation_scales.assign(arch.convs.size() + 1, 0.02f);
    const std::string path = test::TempPath("executor_bench.bpx");
    const absl::Status fused = FuseToFile(arch, {task}, path);
    if (!fused.ok()) std::fprintf(stderr, "%s\n", fused.ToString().c_str());
    auto opened = FusedStore::Open(path).value();
    std::remove(path.c_str());
    return opened;
  }();
  return std::make_shared<const TaskView>(store->View(0, Reading::kMask));
}

void RunExecutor(benchmark::State& state, const std::string& name, Precision precision) {
  const auto executor = LoadExecutor(name);
  if (!executor.ok()) return state.SkipWithError(executor.status().ToString().c_str());
  const auto network = (*executor)->Prepare(RandomWeights(), precision);
  if (!network.ok()) return state.SkipWithError(network.status().ToString().c_str());
  const auto weights = (*network)->Pack().value();
  const Architecture& arch = test::Arch("resnet18-cifar");
  const size_t batch = static_cast<size_t>(state.range(0));
  const std::vector<float> images(
      batch * arch.input_height * arch.input_width * arch.input_channels, 0.5f);
  std::vector<float> logits(batch * kClasses);
  for (auto _ : state) {
    const absl::Status status = (*network)->Run(*weights, images, batch, absl::MakeSpan(logits));
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    benchmark::DoNotOptimize(logits.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}

// Decoding, folding and packing a whole view, into fresh memory.
void PackView(benchmark::State& state, Precision precision) {
  const auto executor = LoadExecutor("onednn");
  if (!executor.ok()) return state.SkipWithError(executor.status().ToString().c_str());
  const auto network = (*executor)->Prepare(RandomWeights(), precision);
  if (!network.ok()) return state.SkipWithError(network.status().ToString().c_str());
  for (auto _ : state) benchmark::DoNotOptimize((*network)->Pack().value().get());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>((*network)->packed_bytes()));
}

const bool kRegistered = [] {
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16, Precision::kInt8}) {
    const std::string type = PrecisionName(precision);
    for (const char* const executor : {"libtorch", "onednn"}) {
      if (executor == std::string("libtorch") && precision != Precision::kFloat32) continue;
      benchmark::RegisterBenchmark(
          absl::StrCat("Run/", executor, "/", type).c_str(),
          [=](benchmark::State& state) { RunExecutor(state, executor, precision); })
          ->Arg(1)
          ->Arg(2)
          ->Arg(4)
          ->Arg(8)
          ->Arg(16)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
    benchmark::RegisterBenchmark(absl::StrCat("Pack/onednn/", type).c_str(),
                                 [=](benchmark::State& state) { PackView(state, precision); })
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace bitplex
