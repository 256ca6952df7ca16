// From raw outputs to ranked labels.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace bitplex {

struct RankedClass {
  size_t index;
  float probability;  // Softmax over all classes, computed in double.
};

// The `k` best classes (all, when there are fewer), best first; equal outputs in index order. A NaN
// counts as minus infinity.
std::vector<RankedClass> TopK(absl::Span<const float> logits, size_t k);

}  // namespace bitplex
