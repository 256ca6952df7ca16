#include "server/service/oip/infer_images.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/service/oip/image_shape.h"
#include "server/service/oip/shown_name.h"
#include "server/service/oip/tensor_data.h"

namespace bitplex::oip {
namespace {

using Input = inference::ModelInferRequest::InferInputTensor;

absl::Status CheckInputs(const inference::ModelInferRequest& request) {
  if (request.inputs().empty()) {
    return absl::InvalidArgumentError("the request has no input; send the tensor 'image'");
  }
  for (const Input& input : request.inputs()) {
    if (input.name() == kInputName) continue;
    return absl::InvalidArgumentError(absl::StrCat("there is no input ", ShownName(input.name()),
                                                   "; the model has one, 'image'"));
  }
  if (request.inputs_size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("the tensor 'image' was sent ",
                                                   request.inputs_size(),
                                                   " times; send it once, with N images"));
  }
  for (const auto& [name, value] : request.inputs(0).parameters()) {
    if (!absl::StartsWith(name, "shared_memory")) continue;
    return absl::InvalidArgumentError(
        "tensor 'image': shared memory is not supported; send its elements in the request");
  }
  return absl::OkStatus();
}

absl::Span<const int64_t> Shape(const Input& input) {
  return {input.shape().data(), static_cast<size_t>(input.shape_size())};
}

template <typename T>
std::vector<T> Interleaved(const ImageShape& shape, absl::Span<const T> planar) {
  const size_t plane = shape.height * shape.width;
  std::vector<T> result;
  result.reserve(planar.size());
  for (size_t image = 0; image < shape.count; ++image) {
    const T* const first = planar.data() + image * shape.image_elements();
    for (size_t pixel = 0; pixel < plane; ++pixel) {
      for (size_t channel = 0; channel < 3; ++channel)
        result.push_back(first[channel * plane + pixel]);
    }
  }
  return result;
}

absl::StatusOr<InferImages> ReadPixels(const Input& input, const TensorData& data) {
  const absl::StatusOr<ImageShape> shape = ReadPixelShape(Shape(input));
  if (!shape.ok()) return shape.status();
  InferImages result;
  absl::StatusOr<absl::Span<const uint8_t>> pixels =
      ReadUint8(data, shape->elements(), result.pixels);
  if (!pixels.ok()) return pixels.status();
  if (shape->layout == Layout::kPlanar) {
    result.pixels = Interleaved(*shape, *pixels);
    pixels = absl::MakeConstSpan(result.pixels);
  }
  for (size_t i = 0; i < shape->count; ++i) {
    result.images.push_back(
        {.encoded = false,
         .bytes = pixels->subspan(i * shape->image_elements(), shape->image_elements()),
         .height = shape->height,
         .width = shape->width});
  }
  return result;
}

absl::StatusOr<InferImages> ReadNormalized(const Input& input, const TensorData& data,
                                           const Architecture& arch) {
  const absl::StatusOr<ImageShape> shape = ReadPixelShape(Shape(input));
  if (!shape.ok()) return shape.status();
  if (shape->height != arch.input_height || shape->width != arch.input_width) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor 'image' has shape ", ShapeText(Shape(input)),
                     "; as FP32 it is the network's own input, [N, ", arch.input_height, ", ",
                     arch.input_width, ", 3] or [N, 3, ", arch.input_height, ", ", arch.input_width,
                     "]: send that, or UINT8 of any size"));
  }
  absl::StatusOr<std::vector<float>> values = ReadFloats(data, shape->elements());
  if (!values.ok()) return values.status();
  InferImages result;
  result.values = shape->layout == Layout::kPlanar
                      ? Interleaved(*shape, absl::MakeConstSpan(*values))
                      : *std::move(values);
  for (size_t i = 0; i < shape->count; ++i) {
    result.images.push_back(
        {.normalized = absl::MakeConstSpan(result.values)
                           .subspan(i * shape->image_elements(), shape->image_elements())});
  }
  return result;
}

absl::StatusOr<InferImages> ReadFiles(const Input& input, const TensorData& data) {
  const absl::StatusOr<size_t> count = ReadFileShape(Shape(input));
  if (!count.ok()) return count.status();
  const absl::StatusOr<std::vector<absl::Span<const uint8_t>>> files =
      ReadByteStrings(data, *count);
  if (!files.ok()) return files.status();
  InferImages result;
  for (const absl::Span<const uint8_t> file : *files) {
    result.images.push_back({.encoded = true, .bytes = file});
  }
  return result;
}

}  // namespace

absl::StatusOr<InferImages> ReadInferImages(const inference::ModelInferRequest& request,
                                            const Architecture& arch) {
  if (absl::Status status = CheckInputs(request); !status.ok()) return status;
  const absl::StatusOr<TensorData> data = FindTensorData(request);
  if (!data.ok()) return data.status();
  const Input& input = request.inputs(0);
  if (input.datatype() == "UINT8") return ReadPixels(input, *data);
  if (input.datatype() == "FP32") return ReadNormalized(input, *data, arch);
  if (input.datatype() == "BYTES") return ReadFiles(input, *data);
  return absl::InvalidArgumentError(
      absl::StrCat("tensor 'image' has datatype ", ShownName(input.datatype()),
                   "; expected UINT8 (pixels), FP32 (normalised pixels) or BYTES (image files)"));
}

}  // namespace bitplex::oip
