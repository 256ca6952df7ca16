#include "server/executor/onednn/activations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "model_store/view/narrow.h"

namespace bitplex::onednn {
namespace {

template <typename T, typename ToFloat>
void Average(const T* values, size_t pixels, float scale, absl::Span<float> features,
             ToFloat to_float) {
  std::fill(features.begin(), features.end(), 0.0f);
  for (size_t p = 0; p < pixels; ++p, values += features.size()) {
    for (size_t c = 0; c < features.size(); ++c) features[c] += to_float(values[c]);
  }
  for (float& feature : features) feature *= scale / static_cast<float>(pixels);
}

}  // namespace

void ConvertInput(Precision precision, float scale, absl::Span<const float> images, void* out) {
  if (precision == Precision::kInt8) {
    int8_t* const values = static_cast<int8_t*>(out);
    for (size_t i = 0; i < images.size(); ++i) {
      // Divided, as the reciprocal of a subnormal scale is infinite.
      const float units = images[i] / scale;
      // The order of the comparisons makes -127 of what is no number: it must not be converted.
      const float above = units > -127.0f ? units : -127.0f;
      // To nearest, ties to even, as the layers do.
      values[i] = static_cast<int8_t>(std::nearbyintf(std::min(above, 127.0f)));
    }
  } else if (precision == Precision::kBfloat16) {
    std::transform(images.begin(), images.end(), static_cast<uint16_t*>(out), RoundToBfloat16);
  } else {
    std::memcpy(out, images.data(), images.size() * sizeof(float));
  }
}

void AveragePool(Precision precision, float scale, const void* activations, size_t pixels,
                 absl::Span<float> features) {
  if (precision == Precision::kInt8) {
    Average(static_cast<const uint8_t*>(activations), pixels, scale, features,
            [](uint8_t value) { return static_cast<float>(value); });
  } else if (precision == Precision::kBfloat16) {
    Average(static_cast<const uint16_t*>(activations), pixels, 1, features,
            [](uint16_t value) { return std::bit_cast<float>(uint32_t{value} << 16); });
  } else {
    Average(static_cast<const float*>(activations), pixels, 1, features,
            [](float value) { return value; });
  }
}

void Classify(const LinearParams& classifier, absl::Span<const float> features, float* logits) {
  constexpr size_t kLanes = 16;  // Sums side by side, which the compiler makes vectors of.
  const float* weight = classifier.weight.data();
  for (size_t k = 0; k < classifier.bias.size(); ++k, weight += features.size()) {
    float lanes[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= features.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] += weight[i + lane] * features[i + lane];
    }
    float sum = classifier.bias[k];
    for (; i < features.size(); ++i) sum += weight[i] * features[i];
    for (const float lane : lanes) sum += lane;
    logits[k] = sum;
  }
}

}  // namespace bitplex::onednn
