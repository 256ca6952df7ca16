// What decoding costs on one thread, against a memcpy.
//
// One whole float32 view of ResNet18 at 12 of 23 bits, against a memcpy of the bytes that it
// writes. As many weights as int8 and as bfloat16, against a memcpy that moves as many bytes in all,
// read and written.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "model_store/codec/block_float.h"
#include "model_store/codec/field.h"
#include "model_store/format/fused_store.h"
#include "model_store/fuse/fuse.h"
#include "model_store/util/mapped_buffer.h"
#include "tests/unit/tiny_network.h"

namespace bitplex {
namespace {

constexpr size_t kWeights = 11'159'232;  // Those of the convolutions of ResNet18.

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

const size_t kViewBytes = kWeights * sizeof(float);

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

// Memory that is there already, aligned as stores and views are. Speed does not depend on values.
MappedBuffer Filled(size_t bytes) {
  MappedBuffer buffer = MappedBuffer::Allocate(bytes).value();
  std::memset(buffer.data(), 0x5a, bytes);
  return buffer;
}

// Bytes that decoding reads and writes. The words' bytes are read whole, however narrow the field.
size_t BytesMoved(unsigned word_bits, size_t bytes_out) {
  return PackedBytes(kWeights, word_bits) + PackedBytes(kWeights, 1) + kWeights * bytes_out;
}

// Arguments: word bits, shift, bits, instruction set.
template <typename Out, typename Decode>
void DecodeNarrow(benchmark::State& state, const Decode& decode) {
  const Isa isa = static_cast<Isa>(state.range(3));
  state.SetLabel(IsaName(isa));
  if (!IsaSupported(isa)) {
    state.SkipWithError("this processor lacks it");
    return;
  }
  const auto word_bits = static_cast<unsigned>(state.range(0));
  const MappedBuffer words = Filled(PackedBytes(kWeights, word_bits));
  const MappedBuffer signs = Filled(PackedBytes(kWeights, 1));
  const Field field{.words = static_cast<const uint8_t*>(words.data()),
                    .signs = static_cast<const uint8_t*>(signs.data()),
                    .count = kWeights,
                    .word_bits = word_bits,
                    .shift = static_cast<unsigned>(state.range(1)),
                    .bits = static_cast<unsigned>(state.range(2))};
  const MappedBuffer out = Filled(kWeights * sizeof(Out));
  for (auto _ : state) {
    decode(isa, field, static_cast<Out*>(out.data()));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(BytesMoved(word_bits, sizeof(Out))));
}

void BM_DecodeInt8(benchmark::State& state) {
  DecodeNarrow<int8_t>(state, [](Isa isa, const Field& field, int8_t* out) {
    DecodeFieldInt8With(isa, field, 0, field.count, out);
  });
}

void BM_DecodeBfloat16(benchmark::State& state) {
  DecodeNarrow<uint16_t>(state, [](Isa isa, const Field& field, uint16_t* out) {
    DecodeFieldBfloat16With(isa, field, 0, field.count, 0.5f, out);
  });
}

// Arguments: word bits, bytes of a decoded weight. Its two halves, read and written, are together
// what decoding reads and writes.
void BM_MemcpySameBytes(benchmark::State& state) {
  const size_t moved =
      BytesMoved(static_cast<unsigned>(state.range(0)), static_cast<size_t>(state.range(1)));
  const MappedBuffer from = Filled(moved / 2);
  const MappedBuffer to = Filled(moved / 2);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), moved / 2);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(moved));
}

const std::vector<int64_t> kIsas = {static_cast<int64_t>(Isa::kScalar),
                                    static_cast<int64_t>(Isa::kAvx2),
                                    static_cast<int64_t>(Isa::kAvx512)};

// Two fields of 7 bits in a word of 14; one of 7 in the shipped store's word of 23.
BENCHMARK(BM_MemcpySameBytes)->Args({14, 1})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeInt8)->ArgsProduct({{14}, {0, 7}, {7}, kIsas})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_MemcpySameBytes)->Args({23, 1})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeInt8)->ArgsProduct({{23}, {11}, {7}, kIsas})->Unit(benchmark::kMillisecond);
// Two fields of 8 bits in a word of 16; one of 12 in a word of 23, rounded.
BENCHMARK(BM_MemcpySameBytes)->Args({16, 2})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeBfloat16)
    ->ArgsProduct({{16}, {0, 8}, {8}, kIsas})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_MemcpySameBytes)->Args({23, 2})->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DecodeBfloat16)->ArgsProduct({{23}, {11}, {12}, kIsas})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bitplex
