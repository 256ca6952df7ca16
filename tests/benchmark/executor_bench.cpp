// The executors alone on one thread, without gRPC: what a server's throughput is measured against.
// Items are images. Weights are random; their values do not change the work.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model_store/format/fused_store.h"
#include "model_store/util/mapped_buffer.h"
#include "server/executor/executor.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

constexpr size_t kClasses = 10;

// Two ResNet18s whose weights are exact in int8, with activation scales that keep their random
// numbers within 8 bits.
const FusedStore& Store() {
  static const std::shared_ptr<const FusedStore> store = [] {
    const Architecture& arch = test::Arch("resnet18-cifar");
    std::vector<FuseTask> tasks;
    for (const char* const name : {"a", "b"}) {
      tasks.push_back(
          test::RandomTask(arch, {.name = name, .bits = 7, .classes = kClasses, .seed = 1}));
      tasks.back().info.activation_scales.assign(arch.convs.size() + 1, 0.02f);
    }
    const std::string path = test::TempPath("executor_bench.bpx");
    const absl::Status fused = FuseToFile(arch, tasks, path);
    if (!fused.ok()) std::fprintf(stderr, "%s\n", fused.ToString().c_str());
    auto opened = FusedStore::Open(path).value();
    std::remove(path.c_str());
    return opened;
  }();
  return *store;
}

std::shared_ptr<const WeightSource> RandomWeights() {
  return std::make_shared<const TaskView>(Store().View(0, Reading::kMask));
}

void RunExecutor(benchmark::State& state, const std::string& name, Precision precision) {
  const auto executor = LoadExecutor(name);
  if (!executor.ok()) return state.SkipWithError(executor.status().ToString().c_str());
  const auto network = (*executor)->Prepare(RandomWeights(), precision);
  if (!network.ok()) return state.SkipWithError(network.status().ToString().c_str());
  const auto weights = (*network)->Pack().value();
  const Architecture& arch = test::Arch("resnet18-cifar");
  const size_t batch = static_cast<size_t>(state.range(0));
  const std::vector<float> images(batch * arch.input_values(), 0.5f);
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
}

// A memcpy into fresh memory of as many bytes as PackView writes, plus those that it reads: all
// words, and one of two sign planes.
void CopySameBytes(benchmark::State& state, Precision precision) {
  size_t weights = 0;
  for (const ConvLayer& layer : test::Arch("resnet18-cifar").convs) weights += layer.weight_count();
  const size_t bytes = weights * WeightBytes(precision) + weights * 14 / 8 + weights / 8;
  const std::vector<char> from(bytes, 1);
  for (auto _ : state) {
    const MappedBuffer to = MappedBuffer::Allocate(bytes).value();
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::DoNotOptimize(to.data());
  }
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
    benchmark::RegisterBenchmark(absl::StrCat("Memcpy/as_onednn/", type).c_str(),
                                 [=](benchmark::State& state) { CopySameBytes(state, precision); })
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace bitplex
