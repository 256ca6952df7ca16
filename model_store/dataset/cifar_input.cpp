#include "model_store/dataset/cifar_input.h"

#include "absl/strings/str_cat.h"
#include "server/image/normalize.h"

namespace bitplex {

absl::Status CheckTakesCifar(const Architecture& arch) {
  if (arch.input_height == kCifarPixels && arch.input_width == kCifarPixels) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("CIFAR images are 32 x 32, but ", arch.name,
                                                 " takes ", arch.input_height, " x ",
                                                 arch.input_width));
}

void NormalizeCifar(const CifarImages& images, size_t first, size_t count, const TaskInfo& task,
                    absl::Span<float> out) {
  NormalizeRgb8({images.image(first), count * kCifarImageBytes}, task.mean, task.std, out);
}

}  // namespace bitplex
