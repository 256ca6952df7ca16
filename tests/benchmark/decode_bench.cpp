// What it costs to materialise one whole float32 view of ResNet18 at 12 of 23 bits, on one thread,
// against a memcpy of the bytes that it writes.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "model_store/format/fused_store.h"
#include "model_store/fuse/fuse.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

const FusedStore& Store() {
  static const std::shared_ptr<const FusedStore> store = [] {
    const Architecture& arch = test::Arch("resnet18-cifar");
    const std::string path = test::TempPath("decode_bench.bpx");
    const absl::Status fused =
        FuseToFile(arch,
                   {test::RandomTask(arch, {.name = "a", .bits = 12, .seed = 1}),
                    test::RandomTask(arch, {.name = "b", .bits = 11, .seed = 2})},
                   path);
    if (!fused.ok()) std::fprintf(stderr, "%s\n", fused.ToString().c_str());
    auto opened = FusedStore::Open(path).value();
    std::remove(path.c_str());
    return opened;
  }();
  return *store;
}

const size_t kViewBytes = [] {
  size_t floats = 0;
  for (const ConvLayer& layer : test::Arch("resnet18-cifar").convs) floats += layer.weight_count();
  return floats * sizeof(float);
}();

void SetBytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kViewBytes));
}

void BM_MemcpyWarm(benchmark::State& state) {
  const std::vector<char> from(kViewBytes, 1);
  std::vector<char> to(kViewBytes);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), kViewBytes);
    benchmark::ClobberMemory();
  }
  SetBytes(state);
}
BENCHMARK(BM_MemcpyWarm)->Unit(benchmark::kMillisecond);

void BM_DecodeWarm(benchmark::State& state) {
  const Isa isa = static_cast<Isa>(state.range(0));
  state.SetLabel(IsaName(isa));
  if (!IsaSupported(isa)) {
    state.SkipWithError("this processor lacks it");
    return;
  }
  const FusedStore& store = Store();
  std::vector<float> out(kViewBytes / sizeof(float));
  for (auto _ : state) {
    float* next = out.data();
    for (const format::Record& record : store.records()) {
      if (record.kind != format::Kind::kSigns || record.task != 0) continue;
      // The words lie right before the first task's signs.
      const format::Record& words = *(&record - 1);
      const Field field{
          .words = store.mapping().data() + words.offset,
          .signs = store.mapping().data() + record.offset,
          .count = size_t{record.dims[0]} * record.dims[1] * record.dims[2] * record.dims[3],
          .word_bits = words.word_bits,
          .shift = record.field_shift,
          .bits = record.field_bits};
      DecodeFieldWith(isa, field, 0, field.count, 0.5f, next);
      next += field.count;
    }
    benchmark::ClobberMemory();
  }
  SetBytes(state);
}
BENCHMARK(BM_DecodeWarm)
    ->Arg(static_cast<int>(Isa::kScalar))
    ->Arg(static_cast<int>(Isa::kAvx2))
    ->Arg(static_cast<int>(Isa::kAvx512))
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bitplex
