// The executor alone on one thread, without gRPC: what a server's throughput is measured against.
// Items are images. Weights are random; their values do not change the work.
#include <benchmark/benchmark.h>

#include <vector>

#include "model_store/view/materialized_weights.h"
#include "server/executor/executor.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

constexpr size_t kClasses = 10;

void BM_ResNet18Cifar(benchmark::State& state) {
  const Architecture& arch = test::Arch("resnet18-cifar");
  static const auto weights =
      MaterializedWeights::FromCheckpoint(test::RandomCheckpoint(arch, kClasses, 1), arch).value();
  static const std::unique_ptr<Executor> executor = LoadExecutor("libtorch").value();
  const size_t batch = static_cast<size_t>(state.range(0));
  const std::vector<float> images(
      batch * arch.input_height * arch.input_width * arch.input_channels, 0.5f);
  std::vector<float> logits(batch * kClasses);
  const auto source = weights->MakeSource();
  for (auto _ : state) {
    const absl::Status status = executor->Run(arch, *source, images, batch, absl::MakeSpan(logits));
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    benchmark::DoNotOptimize(logits.data());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}
BENCHMARK(BM_ResNet18Cifar)
    ->Arg(1)
    ->Arg(2)
    ->Arg(4)
    ->Arg(8)
    ->Arg(16)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace bitplex
