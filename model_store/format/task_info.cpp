#include "model_store/format/task_info.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "model_store/codec/field.h"
#include "model_store/util/utf8.h"

namespace bitplex {
namespace {

using Json = nlohmann::json;

absl::Status Bad(const std::string& what) {
  return absl::DataLossError(absl::StrCat("metadata: ", what));
}

// Each Get reads member `key` into `out` and says whether it was there and of that type.
bool Get(const Json& json, const char* key, std::string& out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_string()) return false;
  out = it->get_ref<const std::string&>();
  return true;
}

bool Get(const Json& json, const char* key, std::array<float, 3>& out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_array() || it->size() != out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    if (!(*it)[i].is_number()) return false;
    out[i] = (*it)[i].get<float>();
  }
  return true;
}

bool Get(const Json& json, const char* key, std::vector<std::string>& out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_array()) return false;
  for (const Json& item : *it) {
    if (!item.is_string()) return false;
    out.push_back(item.get_ref<const std::string&>());
  }
  return true;
}

bool Get(const Json& json, const char* key, std::map<std::string, std::string>& out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_object()) return false;
  for (const auto& [name, value] : it->items()) {
    if (!value.is_string()) return false;
    out[name] = value.get_ref<const std::string&>();
  }
  return true;
}

bool Get(const Json& json, const char* key, std::vector<float>& out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_array() || it->empty()) return false;
  for (const Json& item : *it) {
    if (!item.is_number()) return false;
    out.push_back(item.get<float>());
  }
  return true;
}

absl::StatusOr<TaskInfo> TaskFromJson(const Json& json) {
  TaskInfo info;
  if (!json.is_object()) return Bad("a task is no object");
  if (!Get(json, "name", info.name)) return Bad("a task has no name");
  const auto bad = [&](const char* key) {
    return Bad(absl::StrCat("task '", info.name, "' has no usable '", key, "'"));
  };
  if (!Get(json, "labels", info.labels)) return bad("labels");
  if (!Get(json, "mean", info.mean)) return bad("mean");
  if (!Get(json, "std", info.std)) return bad("std");
  const auto bits = json.find("bits");
  if (bits == json.end() || !bits->is_number_unsigned() || bits->get<uint64_t>() > kMaxFieldBits) {
    return bad("bits");
  }
  info.bits = bits->get<unsigned>();
  std::string exponents;
  if (!Get(json, "exponents", exponents) || (exponents != "tensor" && exponents != "channel")) {
    return bad("exponents");
  }
  info.channel_exponents = exponents == "channel";
  if (!Get(json, "checkpoint", info.checkpoint)) return bad("checkpoint");
  if (!Get(json, "checkpoint_sha256", info.checkpoint_sha256)) return bad("checkpoint_sha256");
  if (!Get(json, "checkpoint_metadata", info.checkpoint_metadata))
    return bad("checkpoint_metadata");
  // Both members or neither.
  if (json.contains("activation_scales") || json.contains("calibration")) {
    if (!Get(json, "activation_scales", info.activation_scales)) return bad("activation_scales");
    if (!Get(json, "calibration", info.calibration)) return bad("calibration");
  }
  if (const absl::Status status = CheckTaskInfo(info); !status.ok()) {
    return Bad(std::string(status.message()));
  }
  return info;
}

}  // namespace

absl::Status CheckTaskInfo(const TaskInfo& info) {
  const auto bad = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("task '", info.name, "': ", what));
  };
  const auto usable = [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  };
  if (info.name.empty() || info.name.size() > 64 ||
      !std::all_of(info.name.begin(), info.name.end(), usable)) {
    return absl::InvalidArgumentError("a task's name has 1 to 64 letters, digits, '_', '.' or '-'");
  }
  if (info.bits < 1 || info.bits > kMaxFieldBits) {
    return bad(absl::StrCat("bits=", info.bits, " is out of range: 1 to ", kMaxFieldBits));
  }
  if (info.labels.empty()) return bad("there are no labels");
  for (size_t i = 0; i < info.labels.size(); ++i) {
    if (!IsUtf8(info.labels[i])) return bad(absl::StrCat("label ", i, " is not UTF-8"));
  }
  for (size_t c = 0; c < 3; ++c) {
    if (!std::isfinite(info.mean[c])) return bad("mean is not finite");
    if (!std::isfinite(info.std[c]) || info.std[c] <= 0) return bad("std must be above zero");
  }
  for (const float scale : info.activation_scales) {
    if (!std::isfinite(scale) || scale <= 0) return bad("activation scales must be above zero");
  }
  return absl::OkStatus();
}

std::string MetadataToJson(const StoreMetadata& metadata) {
  Json tasks = Json::array();
  for (const TaskInfo& info : metadata.tasks) {
    tasks.push_back({{"name", info.name},
                     {"labels", info.labels},
                     {"mean", info.mean},
                     {"std", info.std},
                     {"bits", info.bits},
                     {"exponents", info.channel_exponents ? "channel" : "tensor"},
                     {"checkpoint", info.checkpoint},
                     {"checkpoint_sha256", info.checkpoint_sha256},
                     {"checkpoint_metadata", info.checkpoint_metadata}});
    if (info.activation_scales.empty()) continue;
    tasks.back()["activation_scales"] = info.activation_scales;
    tasks.back()["calibration"] = info.calibration;
  }
  const Json json = {{"architecture", metadata.architecture},
                     {"created_by", metadata.created_by},
                     {"tasks", std::move(tasks)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<StoreMetadata> MetadataFromJson(std::string_view text) {
  // Nothing that is read lies deeper than a label. Without this, a text of brackets alone takes
  // seventy times its own size in memory.
  const auto within_depth = [](int depth, Json::parse_event_t, const Json&) { return depth <= 4; };
  const Json json = Json::parse(text.begin(), text.end(), within_depth, /*allow_exceptions=*/false);
  if (!json.is_object()) return Bad("it is no JSON object");
  StoreMetadata metadata;
  if (!Get(json, "architecture", metadata.architecture)) return Bad("there is no 'architecture'");
  if (!Get(json, "created_by", metadata.created_by)) return Bad("there is no 'created_by'");
  const auto tasks = json.find("tasks");
  if (tasks == json.end() || !tasks->is_array() || tasks->empty()) return Bad("there are no tasks");
  std::set<std::string> names;
  for (const Json& item : *tasks) {
    absl::StatusOr<TaskInfo> info = TaskFromJson(item);
    if (!info.ok()) return info.status();
    if (!names.insert(info->name).second)
      return Bad(absl::StrCat("two tasks are named '", info->name, "'"));
    metadata.tasks.push_back(*std::move(info));
  }
  return metadata;
}

}  // namespace bitplex
