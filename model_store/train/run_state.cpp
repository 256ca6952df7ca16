#include "model_store/train/run_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model_store/checkpoint/raw_tensors.h"
#include "model_store/checkpoint/safetensors.h"
#include "model_store/checkpoint/safetensors_writer.h"
#include "model_store/train/trained_tensors.h"
#include "model_store/util/mapped_file.h"

namespace bitplex {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EpochMetrics, epoch, learning_rate, loss, train_accuracy,
                                   measured_on, measured_correct, measured_images,
                                   images_per_second)

namespace {

constexpr char kVersion[] = "1";
constexpr char kSettingPrefix[] = "option.";

std::string WriteProgress(const RunState& state) {
  const nlohmann::json json = {{"epoch", state.epoch},      {"step", state.step},
                               {"loss", state.totals.loss}, {"correct", state.totals.correct},
                               {"seconds", state.seconds},  {"metrics", state.metrics}};
  return json.dump();
}

absl::Status ReadProgress(const std::string& text, RunState& state) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    json.at("epoch").get_to(state.epoch);
    json.at("step").get_to(state.step);
    json.at("loss").get_to(state.totals.loss);
    json.at("correct").get_to(state.totals.correct);
    json.at("seconds").get_to(state.seconds);
    json.at("metrics").get_to(state.metrics);
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(absl::StrCat("its progress cannot be read: ", error.what()));
  }
  if (state.metrics.size() != state.epoch) {
    return absl::DataLossError(
        absl::StrCat("it has ", state.epoch, " epochs, but the figures of ", state.metrics.size()));
  }
  return absl::OkStatus();
}

absl::Status CheckSettings(const std::map<std::string, std::string>& written,
                           const std::map<std::string, std::string>& wanted) {
  for (const auto& [option, value] : wanted) {
    const auto found = written.find(kSettingPrefix + option);
    const std::string before = found == written.end() ? "(none)" : found->second;
    if (before == value) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the run was started with ", option, " = ", checkpoint::Printable(before),
                     ", now it is ", value, "; give the same options to continue it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, Tensor>> ReadGroup(const checkpoint::RawTensors& raw,
                                                        std::string_view prefix,
                                                        const std::vector<TrainedTensor>& tensors,
                                                        bool with_statistics) {
  std::map<std::string, Tensor> group;
  for (const TrainedTensor& tensor : tensors) {
    if (tensor.is_statistic() && !with_statistics) continue;
    const auto found = raw.entries.find(std::string(prefix) + tensor.name);
    if (found == raw.entries.end() || found->second.shape != tensor.shape) {
      return absl::DataLossError(absl::StrCat(std::string(prefix), tensor.name,
                                              " is missing or has another shape than ",
                                              checkpoint::ShapeText(tensor.shape)));
    }
    absl::StatusOr<Tensor> read = checkpoint::ReadTensor(raw, found->second);
    if (!read.ok()) return read.status();
    group[tensor.name] = *std::move(read);
  }
  return group;
}

absl::StatusOr<RunState> Parse(absl::Span<const uint8_t> bytes, const Architecture& arch,
                               size_t classes, const std::map<std::string, std::string>& settings) {
  const absl::StatusOr<checkpoint::RawTensors> raw = checkpoint::ReadSafetensors(bytes);
  if (!raw.ok()) return raw.status();
  const auto version = raw->metadata.find("bitplex.run_state");
  const auto progress = raw->metadata.find("progress");
  if (version == raw->metadata.end() || progress == raw->metadata.end()) {
    return absl::DataLossError("it is no state of a training run");
  }
  if (version->second != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat("it has version ",
                                                      checkpoint::Printable(version->second),
                                                      ", this build reads ", kVersion));
  }
  if (absl::Status status = CheckSettings(raw->metadata, settings); !status.ok()) return status;
  RunState state;
  state.settings = settings;
  if (absl::Status status = ReadProgress(progress->second, state); !status.ok()) return status;
  const std::vector<TrainedTensor> tensors = TrainedTensors(arch, classes);
  auto weights = ReadGroup(*raw, "weights.", tensors, true);
  if (!weights.ok()) return weights.status();
  auto momentum = ReadGroup(*raw, "momentum.", tensors, false);
  if (!momentum.ok()) return momentum.status();
  auto average = ReadGroup(*raw, "average.", tensors, true);
  if (!average.ok()) return average.status();
  state.network = {*std::move(weights), *std::move(momentum), *std::move(average)};
  return state;
}

}  // namespace

std::string MetricsCsv(const std::vector<EpochMetrics>& epochs) {
  std::string csv =
      "epoch,learning_rate,loss,train_accuracy,measured_on,measured_correct,measured_images,"
      "measured_accuracy,images_per_second\n";
  for (const EpochMetrics& e : epochs) {
    const double accuracy = 100.0 * static_cast<double>(e.measured_correct) /
                            static_cast<double>(std::max<size_t>(e.measured_images, 1));
    absl::StrAppendFormat(&csv, "%d,%.6g,%.6f,%.3f,%s,%d,%d,%.3f,%.1f\n", e.epoch, e.learning_rate,
                          e.loss, e.train_accuracy, e.measured_on, e.measured_correct,
                          e.measured_images, accuracy, e.images_per_second);
  }
  return csv;
}

absl::Status WriteRunState(const std::string& path, const RunState& state) {
  std::vector<checkpoint::NamedTensor> tensors;
  const auto add = [&](const char* prefix, const std::map<std::string, Tensor>& group) {
    for (const auto& [name, tensor] : group) tensors.push_back({prefix + name, &tensor});
  };
  add("weights.", state.network.weights);
  add("momentum.", state.network.momentum);
  add("average.", state.network.average);
  std::map<std::string, std::string> metadata = {{"bitplex.run_state", kVersion},
                                                 {"progress", WriteProgress(state)}};
  for (const auto& [option, value] : state.settings) metadata[kSettingPrefix + option] = value;
  return checkpoint::WriteSafetensors(path, tensors, metadata);
}

absl::StatusOr<RunState> ReadRunState(const std::string& path, const Architecture& arch,
                                      size_t classes,
                                      const std::map<std::string, std::string>& settings) {
  const auto file = MappedFile::Open(path);
  absl::StatusOr<RunState> state =
      file.ok() ? Parse(file->contents(), arch, classes, settings) : file.status();
  if (state.ok()) return state;
  const bool damaged = state.status().code() == absl::StatusCode::kDataLoss;
  return absl::Status(state.status().code(),
                      absl::StrCat(path, ": ", state.status().message(),
                                   damaged ? "; remove it to train from the beginning" : ""));
}

}  // namespace bitplex
