#include "server/executor/predictions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitplex {

std::vector<RankedClass> TopK(absl::Span<const float> logits, size_t k) {
  k = std::min(k, logits.size());
  if (k == 0) return {};
  // Finite weights can give outputs that are not; a NaN would break the order that the sort relies
  // on.
  const auto output = [&](size_t i) {
    return std::isnan(logits[i]) ? -std::numeric_limits<double>::infinity() : double{logits[i]};
  };
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto better = [&](size_t a, size_t b) {
    return output(a) != output(b) ? output(a) > output(b) : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                    better);
  const double largest = output(order[0]);
  // The largest has weight 1 even where it is infinite and its difference to itself is a NaN.
  const auto weight = [&](size_t i) {
    return output(i) == largest ? 1.0 : std::exp(output(i) - largest);
  };
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) sum += weight(i);
  std::vector<RankedClass> ranked;
  for (size_t i = 0; i < k; ++i) {
    ranked.push_back({order[i], static_cast<float>(weight(order[i]) / sum)});
  }
  return ranked;
}

}  // namespace bitplex
