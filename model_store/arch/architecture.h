// Network architectures as data: the one description that checkpoint reading, fusing and every
// executor share. A residual network is a list of convolutions; names are torchvision's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplex {

// A convolution without bias, its batch norm, and what follows. Square kernel, same stride both
// ways.
struct ConvLayer {
  std::string name;        // Its weight is `name + ".weight"`, shape (out, in, kernel, kernel).
  std::string batch_norm;  // Prefix of .weight, .bias, .running_mean, .running_var, each (out).
  size_t in_channels;
  size_t out_channels;
  size_t kernel;
  size_t stride;
  size_t padding;

  size_t weight_count() const { return out_channels * in_channels * kernel * kernel; }
  size_t row_count() const {
    return in_channels * kernel * kernel;
  }  // Weights of one output channel.
};

// out = relu(conv2(relu(conv1(x))) + shortcut), where shortcut is x or downsample(x).
// Each index points into Architecture::convs.
struct ResidualBlock {
  size_t conv1;
  size_t conv2;
  bool has_downsample;
  size_t downsample;  // Only when has_downsample.
};

// Stem (convs[0], ReLU, perhaps a 3x3 max pool of stride 2), residual blocks, global average pool,
// one fully connected layer `fc` (weight (classes, features), bias (classes)).
struct Architecture {
  std::string name;
  size_t input_height;  // Pixels.
  size_t input_width;
  size_t input_channels;
  bool stem_max_pool;
  size_t features;  // Inputs of the fully connected layer.
  std::vector<ConvLayer> convs;
  std::vector<ResidualBlock> blocks;

  // Values of one input image.
  size_t input_values() const { return input_height * input_width * input_channels; }

  // All parameters and statistics of a network with `classes` outputs.
  size_t parameter_count(size_t classes) const;
};

inline constexpr float kBatchNormEpsilon =
    1e-5f;  // PyTorch's default; checkpoints do not carry it.

// "resnet18-cifar" (3x3 stem, no max pool, 32x32), "resnet18-imagenet" (7x7 stem, max pool,
// 224x224) and "resnet10-tiny" (for tests: 32x32, one block a stage, widths 8 to 64). The pointer
// is valid for the whole run. Unknown name: NOT_FOUND, listing the known ones. Thread-safe.
absl::StatusOr<const Architecture*> FindArchitecture(std::string_view name);

std::vector<std::string> ArchitectureNames();

// The largest piece of a convolution's weights that is decoded at once when a network is run layer
// by layer: half of ResNet18's largest layer. With the copy that a library may make of it in its
// own layout, a run holds at most twice this many bytes of weights.
inline constexpr size_t kConvChunkBytes = 512 * 512 * 9 * sizeof(float) / 2;

// How many output channels are run at once: all, or the most whose float32 weights fit in
// kConvChunkBytes. Executors cut every run this way, so that results do not depend on where the
// weights come from.
size_t ConvChunkChannels(const ConvLayer& layer);

}  // namespace bitplex
