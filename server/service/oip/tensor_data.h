// Where a request keeps the elements of its one input, and reading them in either place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/grpc_service.pb.h"

namespace bitplex::oip {

// One of the two. Points into the request.
struct TensorData {
  const std::string* raw = nullptr;  // Of raw_input_contents.
  const inference::InferTensorContents* typed = nullptr;
};

// All errors here are INVALID_ARGUMENT, and nothing is allocated beyond what the request itself
// holds.

// Of the request's only input. An error when it has both, or raw contents for more inputs.
absl::StatusOr<TensorData> FindTensorData(const inference::ModelInferRequest& request);

// Exactly `count` elements of UINT8. The result points into the request, or into `storage`.
absl::StatusOr<absl::Span<const uint8_t>> ReadUint8(const TensorData& data, size_t count,
                                                    std::vector<uint8_t>& storage);

// Exactly `count` elements of FP32, all of them finite.
absl::StatusOr<std::vector<float>> ReadFloats(const TensorData& data, size_t count);

// Exactly `count` elements of BYTES. They point into the request.
absl::StatusOr<std::vector<absl::Span<const uint8_t>>> ReadByteStrings(const TensorData& data,
                                                                       size_t count);

}  // namespace bitplex::oip
