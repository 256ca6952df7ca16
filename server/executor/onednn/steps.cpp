#include "server/executor/onednn/steps.h"

#include <algorithm>
#include <utility>

namespace bitplex::onednn {
namespace {

size_t Shrunk(size_t pixels, size_t kernel, size_t stride, size_t padding) {
  return (pixels + 2 * padding - kernel) / stride + 1;
}

class Builder {
 public:
  explicit Builder(const Architecture& arch) : arch_(arch) {
    height_ = arch.input_height;
    width_ = arch.input_width;
    program_.slot_values = height_ * width_ * arch.input_channels;
  }

  Program Build() && {
    Add({.conv = 0, .in = Slot::kInner, .out = Slot::kBlock, .in_scale = 0, .relu = true});
    height_ = program_.steps.back().out_height;
    width_ = program_.steps.back().out_width;
    scale_ = 1;
    if (arch_.stem_max_pool) AddPool();
    for (const ResidualBlock& block : arch_.blocks) AddBlock(block);
    program_.out_height = height_;
    program_.out_width = width_;
    program_.out_scale = scale_;
    return std::move(program_);
  }

 private:
  // Fills in the sizes.
  void Add(Step step) {
    const ConvLayer& layer = arch_.convs[step.conv];
    step.in_height = height_;
    step.in_width = width_;
    step.out_height = Shrunk(height_, layer.kernel, layer.stride, layer.padding);
    step.out_width = Shrunk(width_, layer.kernel, layer.stride, layer.padding);
    program_.slot_values =
        std::max(program_.slot_values, step.out_height * step.out_width * layer.out_channels);
    program_.steps.push_back(step);
    program_.swap.push_back(false);
  }

  void AddPool() {
    program_.stem_pool = true;
    program_.pool = {height_, width_, Shrunk(height_, kPoolKernel, kPoolStride, kPoolPadding),
                     Shrunk(width_, kPoolKernel, kPoolStride, kPoolPadding)};
    program_.swap.back() = true;
    height_ = program_.pool.out_height;
    width_ = program_.pool.out_width;
  }

  void AddBlock(const ResidualBlock& block) {
    Add({.conv = block.conv1,
         .in = Slot::kBlock,
         .out = Slot::kInner,
         .in_scale = scale_,
         .relu = true});
    const size_t height = program_.steps.back().out_height;
    const size_t width = program_.steps.back().out_width;
    Slot shortcut = Slot::kBlock;
    size_t shortcut_scale = scale_;
    if (block.has_downsample) {
      Add({.conv = block.downsample,
           .in = Slot::kBlock,
           .out = Slot::kShortcut,
           .in_scale = scale_,
           .relu = false});
      shortcut = Slot::kShortcut;
      shortcut_scale = block.downsample + 1;
    }
    height_ = height;
    width_ = width;
    Add({.conv = block.conv2,
         .in = Slot::kInner,
         .out = shortcut,
         .sum = true,
         .summed_scale = shortcut_scale,
         .summed_is_signed = block.has_downsample,
         .in_scale = block.conv1 + 1,
         .relu = true});
    program_.swap.back() = block.has_downsample;
    scale_ = block.conv2 + 1;
  }

  const Architecture& arch_;
  Program program_;
  size_t height_;  // Of what lies in kBlock.
  size_t width_;
  size_t scale_ = 0;
};

}  // namespace

Program MakeProgram(const Architecture& arch) { return Builder(arch).Build(); }

}  // namespace bitplex::onednn
