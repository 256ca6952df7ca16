// Writes the safetensors format, float32 only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model_store/checkpoint/checkpoint.h"

namespace bitplex::checkpoint {

struct NamedTensor {
  std::string name;
  const Tensor* tensor;  // Not owned.
};

// Replaces `path` in one step by a file of `tensors`, in that order, and `metadata`. The same
// arguments give the same bytes. Bytes of `metadata` that are no UTF-8 are replaced. INTERNAL for a
// name that is there twice or a shape that does not fit its values; else as AtomicFile says.
absl::Status WriteSafetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace bitplex::checkpoint
