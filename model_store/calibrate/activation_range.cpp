#include "model_store/calibrate/activation_range.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitplex {
namespace {

constexpr double kClippedShare = 1e-4;
constexpr int kCandidates = 100;

}  // namespace

void ActivationRange::Widen(absl::Span<const float> values) {
  for (const float value : values) {
    largest_ = std::max(largest_, std::fabs(value));
    finite_ &= std::isfinite(value);
  }
}

void ActivationRange::Count(absl::Span<const float> values) {
  if (largest_ <= 0) return;
  for (const float value : values) {
    const float bin = std::fabs(value) / largest_ * static_cast<float>(kBins);
    // Neither the largest itself nor what is no number lies below.
    ++bins_[bin < static_cast<float>(kBins) ? static_cast<size_t>(bin) : kBins - 1];
  }
  count_ += values.size();
}

float ActivationRange::Scale(ScaleMethod method, int levels) const {
  if (largest_ <= 0) return 1;
  const float range = method == ScaleMethod::kMax          ? largest_
                      : method == ScaleMethod::kPercentile ? Percentile()
                                                           : LeastSquares(levels);
  const float unit = range / static_cast<float>(levels);
  return unit >= std::numeric_limits<float>::min() ? unit : 1;
}

float ActivationRange::Percentile() const {
  const double may_be_clipped = kClippedShare * static_cast<double>(count_);
  double above = 0;
  for (size_t bin = kBins; bin-- > 1;) {
    above += static_cast<double>(bins_[bin]);
    if (above > may_be_clipped) return largest_ * static_cast<float>(bin + 1) / kBins;
  }
  return largest_ / kBins;
}

float ActivationRange::LeastSquares(int levels) const {
  double best_error = std::numeric_limits<double>::infinity();
  double best = largest_;
  for (int candidate = 1; candidate <= kCandidates; ++candidate) {
    const double range = static_cast<double>(largest_) * candidate / kCandidates;
    const double unit = range / levels;
    double error = 0;
    for (size_t bin = 0; bin < kBins; ++bin) {
      if (bins_[bin] == 0) continue;
      const double value = static_cast<double>(largest_) * (static_cast<double>(bin) + 0.5) / kBins;
      const double off =
          value - std::min(std::nearbyint(value / unit), static_cast<double>(levels)) * unit;
      error += static_cast<double>(bins_[bin]) * off * off;
    }
    if (error < best_error) {
      best_error = error;
      best = range;
    }
  }
  return static_cast<float>(best);
}

}  // namespace bitplex
