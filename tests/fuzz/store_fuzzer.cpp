// Any bytes as a store in memory, as they are and with their checksums made good: through every
// check, and through every weight of a store that passes them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "model_store/arch/architecture.h"
#include "model_store/format/container.h"
#include "model_store/format/task_info.h"
#include "model_store/format/task_views.h"
#include "tests/fuzz/mend_store.h"

namespace bitplex {
namespace {

void Open(absl::Span<const uint8_t> file) {
  const auto container = format::ReadContainer(file);
  if (!container.ok()) return;
  const auto metadata = MetadataFromJson(container->metadata);
  if (!metadata.ok()) return;
  const auto arch = FindArchitecture(metadata->architecture);
  if (!arch.ok()) return;
  const auto tasks = format::IndexTasks(**arch, *metadata, container->records, file);
  if (!tasks.ok()) return;
  size_t most = 0;
  for (const ConvLayer& layer : (*arch)->convs) most = std::max(most, layer.weight_count());
  std::vector<float> wide(most);
  std::vector<uint16_t> half(most);
  std::vector<int8_t> narrow(most);
  for (const format::IndexedTask& task : *tasks) {
    for (const Reading reading : {Reading::kMask, Reading::kDither}) {
      const TaskView view = task.view.WithReading(reading);
      for (size_t c = 0; c < (*arch)->convs.size(); ++c) {
        const size_t channels = (*arch)->convs[c].out_channels;
        view.DecodeFloat32(c, 0, channels, wide.data());
        view.DecodeBfloat16(c, 0, channels, half.data());
        view.DecodeInt8(c, 0, channels, narrow.data());
        for (size_t channel = 0; channel < channels; ++channel) view.Int8Scale(c, channel);
      }
    }
  }
}

}  // namespace
}  // namespace bitplex

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // What is mapped begins on a page, so the bytes need the alignment that a section has in it. Of
  // exactly this size, so that AddressSanitizer sees the first byte behind them.
  void* memory = nullptr;
  if (size == 0 || posix_memalign(&memory, 64, size) != 0) return 0;
  const absl::Span<uint8_t> file(static_cast<uint8_t*>(memory), size);
  std::copy_n(data, size, file.begin());
  bitplex::Open(file);
  bitplex::fuzz::MendStore(file);
  bitplex::Open(file);
  std::free(memory);
  return 0;
}
