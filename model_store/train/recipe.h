// How a network is trained: the numbers of a run, and what follows from them at each step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace bitplex {

enum class Schedule : uint8_t {
  kCosine,    // Linear warm-up from nought, then half a cosine down to nought.
  kOneCycle,  // Half a cosine up from 1/25 of the rate, half a cosine down to 1/250,000 of it.
};

struct Recipe {
  size_t epochs = 30;
  size_t batch = 128;  // Images a step. What is left of an epoch after whole batches is left out.
  double learning_rate = 0.1;  // The highest of the schedule.
  Schedule schedule = Schedule::kCosine;
  double warmup = 0.05;   // Share of all steps before the highest rate, 0 to 0.9.
  double momentum = 0.9;  // Nesterov's.
  double weight_decay = 5e-4;
  bool decay_all = false;  // Otherwise batch norms and biases do not decay.
  double label_smoothing = 0.1;
  bool augment = true;  // Crop at random after 4 pixels of padding, and mirror half of the images.
  size_t cutout = 0;    // Side of a square set to the mean colour, in pixels. 0: none.
  double average_decay = 0.999;  // Of the moving average of the weights. 0: the last weights.
  uint64_t seed = 1;
};

// INVALID_ARGUMENT names the option that is out of range, and the range.
absl::Status CheckRecipe(const Recipe& recipe);

// The learning rate of `step`, counted from 0 over the whole run of `steps` steps.
double LearningRate(const Recipe& recipe, size_t step, size_t steps);

// The moving average's decay at `step`: rises from 0.1 to the recipe's, so that the first, random
// weights are soon forgotten.
double AverageDecay(const Recipe& recipe, size_t step);

// The recipe as text, one entry for each option under the command line's name for it. Numbers are
// in their shortest exact form.
std::map<std::string, std::string> DescribeRecipe(const Recipe& recipe);

}  // namespace bitplex
