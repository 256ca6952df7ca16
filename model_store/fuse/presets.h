// Labels and normalisation of well-known data sets, so that common tasks need no options.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace bitplex {

struct Preset {
  std::string name;
  std::array<float, 3> mean;  // Red, green, blue, of values in 0..1.
  std::array<float, 3> std;
  std::vector<std::string> labels;
};

// "cifar10" or "cifar100"; null for any other name. Valid for the whole run. Thread-safe.
const Preset* FindPreset(std::string_view name);

// The preset with that many classes, or null.
const Preset* FindPresetByClasses(size_t classes);

}  // namespace bitplex
