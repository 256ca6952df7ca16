#include "model_store/train/recipe.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

// PyTorch's defaults for its OneCycleLR.
constexpr double kOneCycleStartDivisor = 25;
constexpr double kOneCycleEndDivisor = 25 * 1e4;

std::string Shortest(double value) {
  char text[32];
  return std::string(text, std::to_chars(std::begin(text), std::end(text), value).ptr);
}

// From `from` at 0 to `to` at 1.
double HalfCosine(double from, double to, double at) {
  return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * at));
}

absl::Status CheckRange(const char* option, double value, double least, double most) {
  if (value >= least && value <= most) return absl::OkStatus();  // A NaN is not.
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", Shortest(value), "; give ",
                                                 Shortest(least), " to ", Shortest(most)));
}

}  // namespace

absl::Status CheckRecipe(const Recipe& recipe) {
  const struct {
    const char* option;
    double value, least, most;
  } ranges[] = {
      {"--epochs", static_cast<double>(recipe.epochs), 1, 100'000},
      {"--batch", static_cast<double>(recipe.batch), 2, 65'536},
      {"--lr", recipe.learning_rate, 0, 100},
      {"--warmup", recipe.warmup, 0, 0.9},
      {"--momentum", recipe.momentum, 0, 0.9999},
      {"--weight-decay", recipe.weight_decay, 0, 1},
      {"--label-smoothing", recipe.label_smoothing, 0, 0.9},
      {"--cutout", static_cast<double>(recipe.cutout), 0, 32},
      {"--average-decay", recipe.average_decay, 0, 0.999999},
  };
  for (const auto& range : ranges) {
    absl::Status status = CheckRange(range.option, range.value, range.least, range.most);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

double LearningRate(const Recipe& recipe, size_t step, size_t steps) {
  const double rate = recipe.learning_rate;
  const auto at = static_cast<double>(step);
  const auto total = static_cast<double>(steps);
  if (recipe.schedule == Schedule::kOneCycle) {
    const double peak = std::max(recipe.warmup * total - 1, 0.0);
    if (at < peak) return HalfCosine(rate / kOneCycleStartDivisor, rate, at / peak);
    const double way = std::max(total - 1 - peak, 1.0);
    return HalfCosine(rate, rate / kOneCycleEndDivisor, (at - peak) / way);
  }
  const double rise = std::floor(recipe.warmup * total);
  if (at < rise) return rate * (at + 1) / rise;
  return HalfCosine(rate, 0, (at - rise) / std::max(total - rise, 1.0));
}

double AverageDecay(const Recipe& recipe, size_t step) {
  const auto at = static_cast<double>(step);
  return std::min(recipe.average_decay, (1 + at) / (10 + at));
}

std::map<std::string, std::string> DescribeRecipe(const Recipe& recipe) {
  return {{"epochs", absl::StrCat(recipe.epochs)},
          {"batch", absl::StrCat(recipe.batch)},
          {"lr", Shortest(recipe.learning_rate)},
          {"schedule", recipe.schedule == Schedule::kCosine ? "cosine" : "onecycle"},
          {"warmup", Shortest(recipe.warmup)},
          {"momentum", Shortest(recipe.momentum)},
          {"weight-decay", Shortest(recipe.weight_decay)},
          {"decay-all", recipe.decay_all ? "yes" : "no"},
          {"label-smoothing", Shortest(recipe.label_smoothing)},
          {"augment", recipe.augment ? "yes" : "no"},
          {"cutout", absl::StrCat(recipe.cutout)},
          {"average-decay", Shortest(recipe.average_decay)},
          {"seed", absl::StrCat(recipe.seed)}};
}

}  // namespace bitplex
