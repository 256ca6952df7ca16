#include "model_store/arch/architecture.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bitplex {
namespace {

struct ResNetForm {
  const char* name;
  size_t input_pixels;
  size_t stem_kernel;
  size_t stem_stride;
  bool stem_max_pool;
  size_t width;             // Channels of the first stage; each further stage has twice as many.
  size_t blocks_per_stage;  // Four stages.
};

constexpr ResNetForm kForms[] = {
    {"resnet18-cifar", 32, 3, 1, false, 64, 2},
    {"resnet18-imagenet", 224, 7, 2, true, 64, 2},
    {"resnet10-tiny", 32, 3, 1, false, 8, 1},
};

Architecture Build(const ResNetForm& form) {
  Architecture arch{.name = form.name,
                    .input_height = form.input_pixels,
                    .input_width = form.input_pixels,
                    .input_channels = 3,
                    .stem_max_pool = form.stem_max_pool,
                    .features = form.width * 8,
                    .convs = {},
                    .blocks = {}};
  auto add = [&arch](std::string name, std::string bn, size_t in, size_t out, size_t kernel,
                     size_t stride) {
    arch.convs.push_back({std::move(name), std::move(bn), in, out, kernel, stride, kernel / 2});
    return arch.convs.size() - 1;
  };
  add("conv1", "bn1", 3, form.width, form.stem_kernel, form.stem_stride);
  size_t in = form.width;
  for (size_t stage = 1; stage <= 4; ++stage) {
    const size_t out = form.width << (stage - 1);
    for (size_t b = 0; b < form.blocks_per_stage; ++b) {
      const std::string prefix = absl::StrCat("layer", stage, ".", b, ".");
      const size_t stride = (stage > 1 && b == 0) ? 2 : 1;
      ResidualBlock block{};
      block.conv1 = add(prefix + "conv1", prefix + "bn1", in, out, 3, stride);
      block.conv2 = add(prefix + "conv2", prefix + "bn2", out, out, 3, 1);
      block.has_downsample = stride != 1 || in != out;
      if (block.has_downsample) {
        block.downsample =
            add(prefix + "downsample.0", prefix + "downsample.1", in, out, 1, stride);
      }
      arch.blocks.push_back(block);
      in = out;
    }
  }
  return arch;
}

const std::array<Architecture, std::size(kForms)>& All() {
  static const auto all = [] {
    std::array<Architecture, std::size(kForms)> built;
    std::transform(std::begin(kForms), std::end(kForms), built.begin(), Build);
    return built;
  }();
  return all;
}

}  // namespace

size_t Architecture::parameter_count(size_t classes) const {
  size_t count = features * classes + classes;
  for (const ConvLayer& conv : convs) count += conv.weight_count() + 4 * conv.out_channels;
  return count;
}

std::vector<std::string> ArchitectureNames() {
  std::vector<std::string> names;
  for (const Architecture& arch : All()) names.push_back(arch.name);
  return names;
}

absl::StatusOr<const Architecture*> FindArchitecture(std::string_view name) {
  for (const Architecture& arch : All()) {
    if (arch.name == name) return &arch;
  }
  return absl::NotFoundError(absl::StrCat("architecture '", std::string(name),
                                          "' is unknown; this build has ",
                                          absl::StrJoin(ArchitectureNames(), ", ")));
}

size_t ConvChunkChannels(const ConvLayer& layer) {
  const size_t fitting = kConvChunkBytes / (layer.row_count() * sizeof(float));
  return std::clamp<size_t>(fitting, 1, layer.out_channels);
}

}  // namespace bitplex
