// What is not counted as it happens, but looked at when the metrics are asked for.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/admission/admission_controller.h"
#include "server/serving/engine.h"

namespace bitplex {

struct SampledValue {
  std::vector<std::pair<std::string, std::string>> labels;  // Name, value.
  double value = 0;
};

struct SampledFamily {
  std::string name;
  std::string help;
  bool counter = false;  // Or else a gauge.
  std::vector<SampledValue> values;
};

// Queues, views, memory, and what is served. Reads /proc, as Engine::Memory does. Thread-safe.
std::vector<SampledFamily> SampleEngine(const Engine& engine, std::string_view executor);

// What is in flight. Adds to `families`. Thread-safe.
void SampleAdmission(const AdmissionController& admission, std::vector<SampledFamily>& families);

}  // namespace bitplex
