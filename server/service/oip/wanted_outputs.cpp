#include "server/service/oip/wanted_outputs.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/service/oip/shown_name.h"

namespace bitplex::oip {
namespace {

absl::StatusOr<OutputTensor> FindOutput(const std::string& name) {
  for (const OutputTensor tensor : {OutputTensor::kLogits, OutputTensor::kProbabilities}) {
    if (name == OutputName(tensor)) return tensor;
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no output ", ShownName(name),
                                                 "; the model has '", kLogitsName, "' and '",
                                                 kProbabilitiesName, "'"));
}

absl::StatusOr<size_t> ReadClassification(const char* output,
                                          const inference::InferParameter& value) {
  // Of any other type, the number reads as 0.
  const int64_t classes = value.int64_param();
  if (classes >= 1) return static_cast<size_t>(classes);
  return absl::InvalidArgumentError(
      absl::StrCat("output '", output, "': the parameter 'classification' is ",
                   value.has_int64_param() ? absl::StrCat(classes) : "of another type",
                   "; it must be an int64 of 1 or more, the number of classes to name"));
}

}  // namespace

const char* OutputName(OutputTensor tensor) {
  return tensor == OutputTensor::kLogits ? kLogitsName : kProbabilitiesName;
}

absl::StatusOr<std::vector<WantedOutput>> ReadWantedOutputs(
    const inference::ModelInferRequest& request) {
  if (request.outputs().empty()) return std::vector<WantedOutput>{WantedOutput{}};
  std::vector<WantedOutput> outputs;
  for (const auto& asked : request.outputs()) {
    const absl::StatusOr<OutputTensor> tensor = FindOutput(asked.name());
    if (!tensor.ok()) return tensor.status();
    WantedOutput output{.tensor = *tensor};
    const char* const name = OutputName(*tensor);
    const bool twice = std::any_of(outputs.begin(), outputs.end(), [&](const WantedOutput& other) {
      return other.tensor == output.tensor;
    });
    if (twice) {
      return absl::InvalidArgumentError(
          absl::StrCat("output '", name, "' was requested twice; request it once"));
    }
    for (const auto& [key, value] : asked.parameters()) {
      if (absl::StartsWith(key, "shared_memory")) {
        return absl::InvalidArgumentError(
            absl::StrCat("output '", name, "': shared memory is not supported; leave '",
                         "shared_memory_*' out and read it from the answer"));
      }
      if (key != "classification") continue;
      const absl::StatusOr<size_t> classes = ReadClassification(name, value);
      if (!classes.ok()) return classes.status();
      output.classes = *classes;
    }
    outputs.push_back(output);
  }
  return outputs;
}

}  // namespace bitplex::oip
