// A task as it is given on a command line: NAME=CHECKPOINT,key=value,...
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/checkpoint/checkpoint.h"
#include "model_store/format/task_info.h"

namespace bitplex {

struct TaskSpec {
  std::string name;
  std::string checkpoint;                    // A path.
  std::optional<unsigned> bits;              // bits=12
  std::optional<std::string> preset;         // preset=cifar10: for a task of another name.
  std::optional<std::string> labels_file;    // labels=FILE: one label a line, in label order.
  std::optional<std::array<float, 3>> mean;  // mean=0.49,0.48,0.45
  std::optional<std::array<float, 3>> std;   // std=0.25,0.24,0.26
  bool channel_exponents = false;            // exponents=tensor|channel
};

// Parses one or several tasks: an item NAME=CHECKPOINT whose NAME is none of the keys above begins
// the next task. INVALID_ARGUMENT shows the item that cannot be read and what is possible.
absl::StatusOr<std::vector<TaskSpec>> ParseTaskSpecs(std::string_view text);

// Lines of a file, without empty ones at the end. Errors name the file.
absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path);

// The task's labels, mean and std, from the spec or else from the preset of its name. Provenance is
// `checkpoint`'s. INVALID_ARGUMENT when something is missing, naming the option that gives it, or
// when the number of labels is not that of the classifier's outputs.
absl::StatusOr<TaskInfo> DescribeTask(const TaskSpec& spec, const Checkpoint& checkpoint);

}  // namespace bitplex
