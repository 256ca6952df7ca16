#include "model_store/fuse/task_spec.h"

#include <cmath>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model_store/codec/field.h"
#include "model_store/fuse/presets.h"

namespace bitplex {
namespace {

constexpr std::string_view kForm =
    "expected NAME=CHECKPOINT[,bits=N][,labels=FILE][,mean=R,G,B][,std=R,G,B][,preset=NAME]"
    "[,exponents=tensor|channel]";
constexpr std::string_view kKeys[] = {"bits", "labels", "mean", "std", "preset", "exponents"};

bool IsKey(std::string_view name) {
  for (const std::string_view key : kKeys) {
    if (key == name) return true;
  }
  return false;
}

struct Item {
  std::string key;
  std::string value;
};

// Splits at commas; a piece without '=' goes on with the value before it, so that a value may hold
// commas.
absl::StatusOr<std::vector<Item>> SplitItems(std::string_view text) {
  std::vector<Item> items;
  for (const std::string& piece :
       std::vector<std::string>(absl::StrSplit(std::string(text), ','))) {
    const size_t equals = piece.find('=');
    if (equals == std::string::npos && !items.empty()) {
      absl::StrAppend(&items.back().value, ",", piece);
    } else if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("task '", std::string(text), "': '", piece,
                                                     "' cannot be read; ", std::string(kForm)));
    } else {
      items.push_back({piece.substr(0, equals), piece.substr(equals + 1)});
    }
  }
  return items;
}

absl::StatusOr<std::array<float, 3>> ParseChannels(const Item& item) {
  const std::vector<std::string> parts = absl::StrSplit(item.value, absl::ByAnyChar(",/:"));
  std::array<float, 3> values{};
  bool good = parts.size() == values.size();
  for (size_t i = 0; good && i < values.size(); ++i) {
    good = absl::SimpleAtof(parts[i], &values[i]) && std::isfinite(values[i]);
  }
  if (good) return values;
  return absl::InvalidArgumentError(absl::StrCat(
      item.key, "=", item.value, ": expected three numbers, as in ", item.key, "=0.49,0.48,0.45"));
}

absl::Status Apply(const Item& item, TaskSpec& spec) {
  if (item.key == "bits") {
    unsigned bits = 0;
    if (!absl::SimpleAtoi(item.value, &bits) || bits < 1 || bits > kMaxFieldBits) {
      return absl::InvalidArgumentError(absl::StrCat("task '", spec.name, "': bits=", item.value,
                                                     " is out of range: 1 to ", kMaxFieldBits));
    }
    spec.bits = bits;
  } else if (item.key == "labels") {
    spec.labels_file = item.value;
  } else if (item.key == "preset") {
    spec.preset = item.value;
  } else if (item.key == "exponents") {
    if (item.value != "tensor" && item.value != "channel") {
      return absl::InvalidArgumentError(absl::StrCat(
          "task '", spec.name, "': exponents=", item.value, ": expected tensor or channel"));
    }
    spec.channel_exponents = item.value == "channel";
  } else {
    const absl::StatusOr<std::array<float, 3>> values = ParseChannels(item);
    if (!values.ok()) return values.status();
    (item.key == "mean" ? spec.mean : spec.std) = *values;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TaskSpec>> ParseTaskSpecs(std::string_view text) {
  const absl::StatusOr<std::vector<Item>> items = SplitItems(text);
  if (!items.ok()) return items.status();
  std::vector<TaskSpec> specs;
  for (const Item& item : *items) {
    if (!IsKey(item.key)) {
      if (item.value.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("task '", item.key, "' has no checkpoint; ", std::string(kForm)));
      }
      specs.emplace_back();
      specs.back().name = item.key;
      specs.back().checkpoint = item.value;
      continue;
    }
    if (specs.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", item.key, "=", item.value, "' stands before any task; ", std::string(kForm)));
    }
    if (absl::Status status = Apply(item, specs.back()); !status.ok()) return status;
  }
  return specs;
}

absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return absl::NotFoundError(absl::StrCat(path, ": labels file not found, or it cannot be read"));
  std::vector<std::string> labels;
  for (std::string line; std::getline(file, line);) {
    labels.emplace_back(absl::StripSuffix(line, "\r"));
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": the file has no labels"));
  return labels;
}

absl::StatusOr<TaskInfo> DescribeTask(const TaskSpec& spec, const Checkpoint& checkpoint) {
  const Preset* const preset = FindPreset(spec.preset.value_or(spec.name));
  if (spec.preset && preset == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("task '", spec.name, "': there is no preset '",
                                                   *spec.preset,
                                                   "'; there are cifar10 and cifar100"));
  }
  TaskInfo info;
  info.name = spec.name;
  const auto missing = [&](const char* option) {
    return absl::InvalidArgumentError(absl::StrCat("task '", spec.name,
                                                   "' is no preset (cifar10, cifar100): add ",
                                                   option, " to it, or preset=NAME"));
  };
  if (spec.labels_file) {
    absl::StatusOr<std::vector<std::string>> labels = ReadLabels(*spec.labels_file);
    if (!labels.ok()) return labels.status();
    info.labels = *std::move(labels);
  } else if (preset != nullptr) {
    info.labels = preset->labels;
  } else {
    return missing("labels=FILE");
  }
  if (preset == nullptr && !spec.mean) return missing("mean=R,G,B");
  if (preset == nullptr && !spec.std) return missing("std=R,G,B");
  info.mean = spec.mean ? *spec.mean : preset->mean;
  info.std = spec.std ? *spec.std : preset->std;
  if (info.labels.size() != checkpoint.classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "task '", spec.name, "': the classifier has ", checkpoint.classes,
        " outputs, but there are ", info.labels.size(),
        " labels; give the checkpoint of this task, or labels=FILE with one label a line"));
  }
  info.bits = spec.bits.value_or(kMaxFieldBits);
  info.channel_exponents = spec.channel_exponents;
  info.checkpoint = checkpoint.file_name;
  info.checkpoint_sha256 = checkpoint.sha256;
  info.checkpoint_metadata = checkpoint.metadata;
  if (absl::Status status = CheckTaskInfo(info); !status.ok()) return status;
  return info;
}

}  // namespace bitplex
