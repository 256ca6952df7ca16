#include "server/service/oip/image_shape.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/image/image_decode.h"

namespace bitplex::oip {
namespace {

constexpr size_t kShownAxes = 6;

absl::Status ShapeError(absl::Span<const int64_t> shape, const std::string& fault) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor 'image' has shape ", ShapeText(shape), "; ", fault));
}

absl::Status CheckCount(absl::Span<const int64_t> shape) {
  if (shape[0] >= 1 && shape[0] <= static_cast<int64_t>(kMaxInferImages)) return absl::OkStatus();
  return ShapeError(shape, absl::StrCat("the first axis counts images, 1 to ", kMaxInferImages,
                                        ": send more in several requests"));
}

}  // namespace

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape.subspan(0, kShownAxes), ", "),
                      shape.size() > kShownAxes ? ", ..." : "", "]");
}

absl::StatusOr<ImageShape> ReadPixelShape(absl::Span<const int64_t> shape) {
  if (shape.size() != 4 || (shape[3] != 3 && shape[1] != 3)) {
    return ShapeError(shape, "expected [N, height, width, 3] or [N, 3, height, width]");
  }
  if (absl::Status status = CheckCount(shape); !status.ok()) return status;
  const Layout layout = shape[3] == 3 ? Layout::kInterleaved : Layout::kPlanar;
  const int64_t height = shape[layout == Layout::kPlanar ? 2 : 1];
  const int64_t width = shape[layout == Layout::kPlanar ? 3 : 2];
  const int64_t longest = kMaxImageSide;
  if (height < 1 || width < 1 || height > longest || width > longest) {
    return ShapeError(shape, absl::StrCat("height and width must be 1 to ", longest, " pixels"));
  }
  return ImageShape{static_cast<size_t>(shape[0]), static_cast<size_t>(height),
                    static_cast<size_t>(width), layout};
}

absl::StatusOr<size_t> ReadFileShape(absl::Span<const int64_t> shape) {
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1)) {
    return ShapeError(shape, "expected [N] or [N, 1], one image file for each element");
  }
  if (absl::Status status = CheckCount(shape); !status.ok()) return status;
  return static_cast<size_t>(shape[0]);
}

}  // namespace bitplex::oip
