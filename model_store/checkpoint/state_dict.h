// Finds a network's tensors among the values of a PyTorch pickle.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/checkpoint/pickle.h"

namespace bitplex::checkpoint {

struct NamedTensor {
  std::string name;  // Dotted, as in a state dict.
  PickleId tensor;   // As FindTensor returns it.
};

// Accepts a state dict, a dict that holds one beside other things, a whole nn.Module and the object
// tree of a TorchScript archive. Values that are no tensors are passed over. INVALID_ARGUMENT when
// there is no tensor, or the tree is deeper or larger than a network's.
absl::StatusOr<std::vector<NamedTensor>> FindStateDict(const Pickle& pickle);

}  // namespace bitplex::checkpoint
