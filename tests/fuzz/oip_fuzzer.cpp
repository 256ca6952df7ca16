// Any bytes as a ModelInfer request: through all that is done to it before the engine, and through
// every byte of the pictures that it leads to.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "inference/grpc_service.pb.h"
#include "server/service/oip/image_shape.h"
#include "server/service/oip/infer_images.h"
#include "server/service/oip/wanted_outputs.h"

namespace bitplex::oip {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// Reads the memory that the engine would read.
void CheckImage(const ImageRef& image, const Architecture& arch) {
  if (!image.normalized.empty()) {
    Require(image.normalized.size() == arch.input_height * arch.input_width * 3);
    for (const float value : image.normalized) Require(value - value == 0);  // Finite.
    return;
  }
  if (!image.encoded) Require(image.bytes.size() == image.height * image.width * 3);
  volatile unsigned sum = 0;
  for (const uint8_t byte : image.bytes) sum = sum + byte;
}

void Read(const inference::ModelInferRequest& request) {
  Architecture arch{};
  arch.input_height = 4;
  arch.input_width = 2;
  arch.input_channels = 3;
  const auto input = ReadInferImages(request, arch);
  const auto outputs = ReadWantedOutputs(request);
  Require(outputs.ok() || absl::IsInvalidArgument(outputs.status()));
  if (!input.ok()) {
    Require(absl::IsInvalidArgument(input.status()) && input.status().message().size() < 1024);
    return;
  }
  Require(!input->images.empty() && input->images.size() <= kMaxInferImages);
  for (const ImageRef& image : input->images) CheckImage(image, arch);
}

}  // namespace
}  // namespace bitplex::oip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const google::protobuf::LogSilencer quiet;  // About text that is none.
  inference::ModelInferRequest request;
  if (size <= (size_t{1} << 20) && request.ParseFromArray(data, static_cast<int>(size)))
    bitplex::oip::Read(request);
  return 0;
}
