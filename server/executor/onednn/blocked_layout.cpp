#include "server/executor/onednn/blocked_layout.h"

#include <algorithm>
#include <bit>

#include "server/executor/onednn/transpose.h"

namespace bitplex::onednn {
namespace {

enum Axis { kOutput = 0, kInput = 1, kRow = 2, kColumn = 3 };

}  // namespace

std::optional<BlockedLayout> FindBlockedLayout(const dnnl::memory::desc& weights) {
  const dnnl_memory_desc_t& desc = weights.data;
  if (desc.ndims != 4 || desc.format_kind != dnnl_blocked || desc.extra.flags != 0) return {};
  const dnnl_blocking_desc_t& blocking = desc.format_desc.blocking;
  BlockedLayout layout{};
  layout.element_bytes = dnnl_data_type_size(desc.data_type);
  if (layout.element_bytes > sizeof(uint32_t)) return {};
  // From the innermost block outwards: the inputs of a unit, outputs, perhaps more inputs.
  int inner = blocking.inner_nblks - 1;
  const auto next_is = [&](Axis axis) { return inner >= 0 && blocking.inner_idxs[inner] == axis; };
  if (layout.unit_elements() > 1) {
    if (!next_is(kInput)) return {};
    if (static_cast<size_t>(blocking.inner_blks[inner--]) != layout.unit_elements()) return {};
  }
  if (!next_is(kOutput)) return {};
  layout.rows = static_cast<size_t>(blocking.inner_blks[inner--]);
  size_t units = 1;
  if (next_is(kInput)) units = static_cast<size_t>(blocking.inner_blks[inner--]);
  if (inner >= 0) return {};
  // No padding among the inputs.
  const size_t inputs = static_cast<size_t>(desc.dims[kInput]);
  const size_t input_block = units * layout.unit_elements();
  if (inputs % input_block != 0) return {};
  // Blocks of inputs that lie one behind another are one run.
  const bool joined = static_cast<size_t>(blocking.strides[kInput]) == input_block * layout.rows;
  layout.run_units = joined ? inputs / layout.unit_elements() : units;
  if (layout.rows % std::min(layout.rows, kTileRows) != 0) return {};
  const auto bytes = [&](Axis axis) {
    return static_cast<size_t>(blocking.strides[axis]) * layout.element_bytes;
  };
  layout.block_stride = bytes(kOutput);
  layout.run_stride = bytes(kInput);
  layout.kernel_row_stride = bytes(kRow);
  layout.kernel_column_stride = bytes(kColumn);
  return layout;
}

void PackRows(const BlockedLayout& layout, size_t kernel, size_t in_channels, const void* tile,
              size_t first, size_t count, const float* row_scales, std::byte* packed) {
  const size_t units = in_channels / layout.unit_elements();  // Of one tap.
  const size_t row_units = units * kernel * kernel;
  std::byte* const block =
      packed + first / layout.rows * layout.block_stride + first % layout.rows * sizeof(uint32_t);
  const uint32_t* source = static_cast<const uint32_t*>(tile);
  for (size_t y = 0; y < kernel; ++y) {
    for (size_t x = 0; x < kernel; ++x) {
      std::byte* out = block + y * layout.kernel_row_stride + x * layout.kernel_column_stride;
      for (size_t unit = 0; unit < units; unit += layout.run_units, out += layout.run_stride) {
        Transpose(source, row_units, count, layout.run_units, row_scales,
                  reinterpret_cast<uint32_t*>(out), layout.rows);
        source += layout.run_units;
      }
    }
  }
}

}  // namespace bitplex::onednn
