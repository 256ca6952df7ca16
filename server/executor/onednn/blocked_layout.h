// The order in which a oneDNN convolution wants its weights, and the writing of weights in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>

namespace bitplex::onednn {

// Weights in blocks of output channels. A unit is 32 bits wide: the weights of one tap of the
// kernel for 1, 2 or 4 neighbouring input channels in float32, bfloat16 or int8. Within a block, a
// tap and a run of input channels, unit u of channel o lies at u * rows + o.
struct BlockedLayout {
  size_t element_bytes;
  size_t rows;       // Output channels of a block.
  size_t run_units;  // Units of a run: of all input channels, or of some.
  // Bytes from one block, run, kernel row or kernel column to the next.
  size_t block_stride;
  size_t run_stride;
  size_t kernel_row_stride;
  size_t kernel_column_stride;

  size_t unit_elements() const { return sizeof(uint32_t) / element_bytes; }
};

// Nothing when `weights` (dimensions output, input, row, column) lie otherwise; oneDNN's own
// reorder can write those.
std::optional<BlockedLayout> FindBlockedLayout(const dnnl::memory::desc& weights);

// The most output channels that PackRows takes at once.
inline constexpr size_t kTileRows = 16;

// Writes `count` (1 to kTileRows, all of one block) output channels from `first` on, given in OHWI
// order in `tile`, to their places in `packed`. `row_scales`, one a channel, multiply float32
// weights; null for none, and for other types.
void PackRows(const BlockedLayout& layout, size_t kernel, size_t in_channels, const void* tile,
              size_t first, size_t count, const float* row_scales, std::byte* packed);

}  // namespace bitplex::onednn
