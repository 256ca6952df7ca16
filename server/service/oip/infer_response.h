// From a task's outputs to the answer of ModelInfer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "inference/grpc_service.pb.h"
#include "server/model/servable.h"
#include "server/service/oip/wanted_outputs.h"

namespace bitplex::oip {

// `logits` are count x classes values. All contents are raw, as Triton's always are, whichever way
// the request had its own.
void FillInferResponse(const Servable& task, const std::string& id,
                       absl::Span<const WantedOutput> outputs, absl::Span<const float> logits,
                       size_t count, inference::ModelInferResponse& response);

}  // namespace bitplex::oip
