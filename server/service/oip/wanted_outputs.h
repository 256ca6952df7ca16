// Which tensors a request wants back, and in which form.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"

namespace bitplex::oip {

inline constexpr char kLogitsName[] = "logits";
inline constexpr char kProbabilitiesName[] = "probabilities";

enum class OutputTensor { kLogits, kProbabilities };

struct WantedOutput {
  OutputTensor tensor = OutputTensor::kLogits;
  // 0: the values. Else the names of so many classes, best first; all, when there are fewer.
  size_t classes = 0;
};

const char* OutputName(OutputTensor tensor);

// In the request's order; the logits when it names none. INVALID_ARGUMENT: an unknown output, one
// that is named twice or is to be in shared memory, a `classification` that is not 1 or more.
absl::StatusOr<std::vector<WantedOutput>> ReadWantedOutputs(
    const inference::ModelInferRequest& request);

}  // namespace bitplex::oip
