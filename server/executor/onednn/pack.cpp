#include "server/executor/onednn/pack.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "server/executor/onednn/blocked_layout.h"
#include "server/executor/onednn/convolution.h"

namespace bitplex::onednn {
namespace {

using dnnl::memory;

void DecodeRows(const WeightSource& source, size_t conv, Precision precision, size_t first,
                size_t count, std::byte* out) {
  if (precision == Precision::kInt8) {
    source.DecodeInt8(conv, first, count, reinterpret_cast<int8_t*>(out));
  } else if (precision == Precision::kBfloat16) {
    source.DecodeBfloat16(conv, first, count, reinterpret_cast<uint16_t*>(out));
  } else {
    source.DecodeFloat32(conv, first, count, reinterpret_cast<float*>(out));
  }
}

// For the few small layers whose layout is none of ours: the whole layer plainly, then oneDNN's
// reorder, which also computes what signed inputs need beside the weights.
void PackByReorder(const dnnl::engine& engine, const WeightSource& source, size_t conv,
                   Precision precision, const float* factor, const memory::desc& weights,
                   std::byte* packed) {
  const ConvLayer& layer = source.arch().convs[conv];
  const size_t row_bytes = layer.row_count() * WeightBytes(precision);
  const auto plain = std::make_unique<std::byte[]>(layer.out_channels * row_bytes);
  for (size_t first = 0; first < layer.out_channels; first += kTileRows) {
    DecodeRows(source, conv, precision, first, std::min(kTileRows, layer.out_channels - first),
               plain.get() + first * row_bytes);
  }
  if (factor != nullptr) {
    float* value = reinterpret_cast<float*>(plain.get());
    for (size_t channel = 0; channel < layer.out_channels; ++channel) {
      for (size_t i = 0; i < layer.row_count(); ++i) *value++ *= factor[channel];
    }
  }
  const memory::desc ohwi(weights.dims(), WeightType(precision), memory::format_tag::acdb);
  memory from(ohwi, engine, plain.get());
  memory to(weights, engine, packed);
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

}  // namespace

void PackConv(const dnnl::engine& engine, const WeightSource& source, size_t conv,
              Precision precision, const float* factor, const memory::desc& weights,
              std::byte* packed) {
  const std::optional<BlockedLayout> layout = FindBlockedLayout(weights);
  if (!layout) {
    PackByReorder(engine, source, conv, precision, factor, weights, packed);
    return;
  }
  const ConvLayer& layer = source.arch().convs[conv];
  if (layer.out_channels % layout->rows != 0) std::memset(packed, 0, weights.get_size());
  const size_t tile_rows = std::min(kTileRows, layout->rows);
  const auto tile =
      std::make_unique<std::byte[]>(tile_rows * layer.row_count() * WeightBytes(precision));
  for (size_t first = 0; first < layer.out_channels; first += tile_rows) {
    const size_t count = std::min(tile_rows, layer.out_channels - first);
    DecodeRows(source, conv, precision, first, count, tile.get());
    PackRows(*layout, layer.kernel, layer.in_channels, tile.get(), first, count,
             factor == nullptr ? nullptr : factor + first, packed);
  }
}

}  // namespace bitplex::onednn
