// The ends of a network: from float32 images to its input's type, and from its last activations to
// raw outputs.
#pragma once

#include <cstddef>

#include "absl/types/span.h"
#include "model_store/view/precision.h"
#include "model_store/view/weight_source.h"

namespace bitplex::onednn {

constexpr size_t ActivationBytes(Precision precision) { return WeightBytes(precision); }

// Writes images.size() values of the type. `scale` is the input's unit, int8 only: values beyond
// +/-127 units are clipped, and what is no number becomes -127.
void ConvertInput(Precision precision, float scale, absl::Span<const float> images, void* out);

// Averages `pixels` rows of `features` channels, an image, into float32. `scale`: the unit of
// unsigned 8-bit values, int8 only.
void AveragePool(Precision precision, float scale, const void* activations, size_t pixels,
                 absl::Span<float> features);

// The fully connected layer, for one image.
void Classify(const LinearParams& classifier, absl::Span<const float> features, float* logits);

}  // namespace bitplex::onednn
