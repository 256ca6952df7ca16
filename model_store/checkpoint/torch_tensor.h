// How PyTorch writes a tensor into a pickle: a call that rebuilds it from a storage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/checkpoint/pickle.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {

struct TorchTensor {
  TensorEntry entry;        // Without `storage`.
  std::string storage_key;  // The storage is the archive's entry `data/<key>`.
  uint64_t storage_elements = 0;
};

// The value that rebuilds the tensor which `id` is, with nn.Parameter unwrapped; kNoPickle when it
// is no tensor.
PickleId FindTensor(const Pickle& pickle, PickleId id);

// `tensor` is a result of FindTensor, `name` is for messages. DATA_LOSS when its arguments are not
// those that PyTorch writes, INVALID_ARGUMENT when it does not hold floats.
absl::StatusOr<TorchTensor> ParseTensor(const Pickle& pickle, PickleId tensor,
                                        const std::string& name);

}  // namespace bitplex::checkpoint
