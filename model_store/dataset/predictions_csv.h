// The predictions of an evaluation, image by image, so that two can be compared with `cmp`.
#pragma once

#include <cstddef>
#include <ostream>

#include "absl/types/span.h"
#include "model_store/dataset/cifar.h"

namespace bitplex {

// A header line `index,label,predicted`, then a line an image. `predicted` holds one class an
// image. Whether it was written is for the caller to ask of `out`.
void WritePredictionsCsv(const CifarImages& images, absl::Span<const size_t> predicted,
                         std::ostream& out);

}  // namespace bitplex
