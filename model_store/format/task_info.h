// What a store says of each task beside its weights: all that serving needs.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplex {

struct TaskInfo {
  std::string name;                 // [A-Za-z0-9_.-], 1 to 64 characters.
  std::vector<std::string> labels;  // UTF-8, in the order of the network's outputs.
  std::array<float, 3> mean{};      // Red, green, blue, of values in 0..1.
  std::array<float, 3> std{};
  unsigned bits = 0;               // Mantissa bits of each weight.
  bool channel_exponents = false;  // An exponent for each output channel, not for the whole tensor.
  // How 8-bit arithmetic holds the activations: WeightSource::ActivationScales. Empty: not
  // measured.
  std::vector<float> activation_scales;
  std::map<std::string, std::string> calibration;  // How they were measured. Empty likewise.
  // Provenance.
  std::string checkpoint;                                  // File name, without a folder.
  std::string checkpoint_sha256;                           // Lower-case hexadecimal.
  std::map<std::string, std::string> checkpoint_metadata;  // As the checkpoint had it.
};

struct StoreMetadata {
  std::string architecture;
  std::string created_by;  // Such as "bitplex 0.1.0".
  std::vector<TaskInfo> tasks;
};

// INVALID_ARGUMENT names the field that cannot be: name, labels, mean, std or bits.
absl::Status CheckTaskInfo(const TaskInfo& info);

// The metadata section. Same content, same text.
std::string MetadataToJson(const StoreMetadata& metadata);

// DATA_LOSS names what is missing or of the wrong type; every task has passed CheckTaskInfo.
absl::StatusOr<StoreMetadata> MetadataFromJson(std::string_view json);

}  // namespace bitplex
