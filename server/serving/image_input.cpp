#include "server/serving/image_input.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/image/normalize.h"

namespace bitplex {
namespace {

absl::Status CheckNormalized(const ImageRef& image, const Architecture& arch) {
  if (image.normalized.size() == arch.input_values()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the normalised image has ", image.normalized.size(), " values; the network ",
                   "takes exactly ", arch.input_values(), " (", arch.input_height, " x ",
                   arch.input_width, " x ", arch.input_channels, ")"));
}

}  // namespace

absl::Status CheckImage(const ImageRef& image, const Architecture& arch,
                        const ImageLimits& limits) {
  if (!image.normalized.empty()) return CheckNormalized(image, arch);
  if (image.encoded) return CheckEncoded(image.bytes, limits);
  return CheckRaw(image.height, image.width, image.bytes.size(), limits);
}

absl::Status ReadImage(const ImageRef& image, const Architecture& arch, const TaskInfo& task,
                       absl::Span<uint8_t> rgb, absl::Span<float> out) {
  if (!image.normalized.empty()) {
    if (absl::Status status = CheckNormalized(image, arch); !status.ok()) return status;
    std::copy(image.normalized.begin(), image.normalized.end(), out.begin());
    return absl::OkStatus();
  }
  const absl::Status status =
      image.encoded ? DecodeEncoded(image.bytes, arch.input_height, arch.input_width, rgb)
                    : ResizeRaw(image.height, image.width, image.bytes, arch.input_height,
                                arch.input_width, rgb);
  if (status.ok()) NormalizeRgb8(rgb, task.mean, task.std, out);
  return status;
}

}  // namespace bitplex
