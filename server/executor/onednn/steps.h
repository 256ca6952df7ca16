// A network as a list of convolutions over three buffers of activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model_store/arch/architecture.h"

namespace bitplex::onednn {

// Which buffer. kBlock holds a block's input and, in the end, its output.
enum class Slot : uint8_t { kBlock, kInner, kShortcut };
inline constexpr size_t kSlots = 3;

// out = relu?(sum? out + : conv(in)), with the batch norm in between.
struct Step {
  size_t conv = 0;
  size_t in_height = 0;  // Pixels, as is in_width.
  size_t in_width = 0;
  size_t out_height = 0;
  size_t out_width = 0;
  Slot in = Slot::kBlock;
  Slot out = Slot::kBlock;
  bool sum = false;               // Adds to what is in `out`, which lies there as activation
  size_t summed_scale = 0;        // number `summed_scale` of WeightSource::ActivationScales,
  bool summed_is_signed = false;  // and from a downsample convolution is signed.
  size_t in_scale = 0;            // Number of the input's activation scale.
  bool relu = false;
};

// A maximum over kBlock into kShortcut, which then become each other.
inline constexpr int kPoolKernel = 3;
inline constexpr int kPoolStride = 2;
inline constexpr int kPoolPadding = 1;
struct StemPool {
  size_t in_height;
  size_t in_width;
  size_t out_height;
  size_t out_width;
};

struct Program {
  std::vector<Step> steps;  // steps[0] is the stem; it reads the network's input from kInner.
  bool stem_pool = false;   // After steps[0].
  StemPool pool{};
  std::vector<bool> swap;  // After step i, kBlock and kShortcut become each other.
  size_t out_height = 0;   // Of the last step; its channels are arch.features.
  size_t out_width = 0;
  size_t out_scale = 0;    // Number of its activation scale.
  size_t slot_values = 0;  // The most values of one image in a slot.
};

Program MakeProgram(const Architecture& arch);

}  // namespace bitplex::onednn
