// What every executor demands of the buffers that it is given. INTERNAL, because only the server's
// own code can break it.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/executor/executor.h"

namespace bitplex {

inline absl::Status CheckRunBuffers(const WeightSource& source, absl::Span<const float> images,
                                    size_t count, absl::Span<const float> logits) {
  if (count > 0 && images.size() == count * source.arch().input_values() &&
      logits.size() == count * source.Classifier().bias.size()) {
    return absl::OkStatus();
  }
  return absl::InternalError("an executor was given buffers of the wrong size");
}

inline absl::Status CheckScratch(const Network& network, absl::Span<const std::byte> scratch) {
  if (scratch.size() >= network.scratch_bytes()) return absl::OkStatus();
  return absl::InternalError("an executor was given too small a scratch buffer");
}

}  // namespace bitplex
