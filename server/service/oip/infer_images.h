// From the input tensor of a request to pictures that the engine takes. No gRPC in here: it is what
// the fuzz target feeds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "model_store/arch/architecture.h"
#include "server/image/image_ref.h"

namespace bitplex::oip {

inline constexpr char kInputName[] = "image";

struct InferImages {
  std::vector<ImageRef> images;  // Point into the request or into the vectors below.
  std::vector<uint8_t> pixels;
  std::vector<float> values;

  // A copy's images would point into the original.
  InferImages() = default;
  InferImages(InferImages&&) = default;
  InferImages& operator=(InferImages&&) = default;
};

// Reads the tensor `image`, as OIP.md describes it. At least one picture and at most
// kMaxInferImages; each still has to pass CheckImage. Allocates at most twice the request.
// INVALID_ARGUMENT names the tensor, what was expected and what came. `request` must outlive the
// result.
absl::StatusOr<InferImages> ReadInferImages(const inference::ModelInferRequest& request,
                                            const Architecture& arch);

}  // namespace bitplex::oip
