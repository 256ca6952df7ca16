// A network over flat buffers: with all parameters in one tensor, an optimiser's step is a few
// operations instead of a few for every layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "model_store/arch/architecture.h"
#include "model_store/train/trained_tensors.h"

namespace bitplex {

// Where each tensor of a network lies. Decaying parameters come first, then the others, then, in a
// buffer of their own, the statistics.
class FlatLayout {
 public:
  FlatLayout(const Architecture& arch, size_t classes);

  const std::vector<TrainedTensor>& tensors() const { return tensors_; }
  int64_t decaying() const { return decaying_; }      // Elements.
  int64_t parameters() const { return parameters_; }  // Elements, those included.
  int64_t statistics() const { return statistics_; }

  // Tensor `index` of tensors() as a view of its buffer, in PyTorch's axis order; convolutions lie
  // channels-last. `buffer` may end after the decaying parameters when `index` is one of them.
  at::Tensor View(const at::Tensor& buffer, size_t index) const;

 private:
  std::vector<TrainedTensor> tensors_;
  std::vector<int64_t> offsets_;
  int64_t decaying_ = 0;
  int64_t parameters_ = 0;
  int64_t statistics_ = 0;
};

// Tensors by name: the parameters and statistics that a forward pass uses.
using NamedViews = std::map<std::string, at::Tensor>;

// Raw outputs, float32, of `images` (count, channels, rows, columns; channels-last). Convolutions
// run in the type of `images`, which is that of their weights. With `training`, batch norms use the
// batch's statistics and update the running ones.
at::Tensor Forward(const Architecture& arch, const NamedViews& network, const at::Tensor& images,
                   bool training);

}  // namespace bitplex
