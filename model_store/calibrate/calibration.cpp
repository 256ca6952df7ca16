#include "model_store/calibrate/calibration.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model_store/checkpoint/digest.h"
#include "model_store/codec/block_float.h"
#include "model_store/dataset/cifar_input.h"
#include "model_store/util/progress.h"
#include "model_store/view/plain_weights.h"

namespace bitplex {
namespace {

constexpr size_t kBatch = 8;
constexpr size_t kMaxImages = 1'000'000;
constexpr char kForm[] = "[TASK=]IMAGES.bin[,images=N][,method=mse|percentile|max]";

constexpr struct {
  const char* name;
  ScaleMethod method;
} kMethods[] = {{"mse", ScaleMethod::kMse},
                {"percentile", ScaleMethod::kPercentile},
                {"max", ScaleMethod::kMax}};

const char* MethodName(ScaleMethod method) {
  for (const auto& known : kMethods) {
    if (known.method == method) return known.name;
  }
  return "";
}

absl::Status SetOption(std::string_view key, std::string_view value, CalibrationSpec& spec) {
  if (key == "images") {
    if (absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &spec.images) &&
        spec.images >= 1 && spec.images <= kMaxImages) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("images=", std::string(value), " is no number from 1 to ", kMaxImages));
  }
  for (const auto& known : kMethods) {
    if (key == "method" && value == known.name) {
      spec.method = known.method;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("cannot read '", std::string(key), "=",
                                                 std::string(value), "'; the form is ", kForm));
}

// What fusing leaves of the weights.
Checkpoint Rounded(const Architecture& arch, const FuseTask& task) {
  Checkpoint checkpoint = task.checkpoint;
  for (const ConvLayer& layer : arch.convs) {
    std::vector<float>& values = checkpoint.tensors.at(layer.name + ".weight").values;
    const size_t block = task.info.channel_exponents ? layer.row_count() : values.size();
    for (size_t first = 0; first < values.size(); first += block) {
      const absl::Span<float> weights = absl::MakeSpan(values).subspan(first, block);
      const int exponent = SharedExponent(weights);
      for (float& weight : weights) {
        const float magnitude = static_cast<float>(Mantissa(weight, exponent, task.info.bits)) *
                                UnitScale(exponent, task.info.bits);
        weight = std::copysign(magnitude, weight);
      }
    }
  }
  return checkpoint;
}

// Shows every activation of every image to `visit`.
absl::Status RunAll(const Network& network, const PackedWeights& weights, const TaskInfo& info,
                    const CifarImages& images, Progress& progress, size_t& done,
                    const Network::Observer& visit) {
  std::vector<float> input(kBatch * kCifarImageBytes);
  for (size_t first = 0; first < images.size(); first += kBatch) {
    const size_t count = std::min(kBatch, images.size() - first);
    const absl::Span<float> used = absl::MakeSpan(input).first(count * kCifarImageBytes);
    NormalizeCifar(images, first, count, info, used);
    absl::Status status = network.Observe(weights, used, count, visit);
    if (!status.ok()) return status;
    progress.Update(done += count, "");
  }
  return absl::OkStatus();
}

bool IsSigned(const Architecture& arch, size_t activation) {
  if (activation == 0) return true;
  return std::any_of(arch.blocks.begin(), arch.blocks.end(), [&](const ResidualBlock& block) {
    return block.has_downsample && block.downsample + 1 == activation;
  });
}

absl::Status CheckFinite(const Architecture& arch, const std::string& task,
                         absl::Span<const ActivationRange> ranges) {
  const auto overflown = std::find_if(ranges.begin(), ranges.end(),
                                      [](const ActivationRange& range) { return !range.finite(); });
  if (overflown == ranges.end()) return absl::OkStatus();
  const size_t activation = static_cast<size_t>(overflown - ranges.begin());
  return absl::InvalidArgumentError(absl::StrCat(
      "task '", task, "': ", activation == 0 ? "its input" : "what follows ",
      activation == 0 ? "" : arch.convs[activation - 1].name,
      " is not finite on the calibration images; check the checkpoint, and the task's mean and "
      "std"));
}

}  // namespace

absl::StatusOr<CalibrationSpec> ParseCalibrationSpec(std::string_view text) {
  CalibrationSpec spec;
  const std::vector<std::string> items =
      absl::StrSplit(absl::string_view(text.data(), text.size()), ',');
  spec.path = items[0];
  if (const size_t equals = spec.path.find('='); equals != std::string::npos) {
    spec.task = spec.path.substr(0, equals);
    spec.path.erase(0, equals + 1);
    if (spec.task.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no task before '=' in '", items[0], "'; the form is ", kForm));
    }
  }
  if (spec.path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no images to calibrate with; the form is ", kForm));
  }
  for (size_t i = 1; i < items.size(); ++i) {
    const std::pair<std::string, std::string> option =
        absl::StrSplit(items[i], absl::MaxSplits('=', 1));
    if (absl::Status status = SetOption(option.first, option.second, spec); !status.ok())
      return status;
  }
  return spec;
}

absl::Status Calibrate(const Executor& executor, const Architecture& arch,
                       const CalibrationSpec& spec, FuseTask& task) {
  if (absl::Status status = CheckTakesCifar(arch); !status.ok()) return status;
  const absl::StatusOr<CifarImages> images =
      ReadCifar(spec.path, task.info.labels.size(), spec.images);
  if (!images.ok()) return images.status();
  absl::StatusOr<std::string> digest = checkpoint::FileSha256(spec.path);
  if (!digest.ok()) return digest.status();
  auto weights = PlainWeights::FromCheckpoint(Rounded(arch, task), arch);
  if (!weights.ok()) return weights.status();
  const auto network = executor.Prepare(*std::move(weights), Precision::kFloat32);
  if (!network.ok()) return network.status();
  const absl::StatusOr<std::shared_ptr<const PackedWeights>> packed = (*network)->Pack();
  if (!packed.ok()) return packed.status();

  std::vector<ActivationRange> ranges(arch.convs.size() + 1);
  Progress progress(absl::StrCat("calibrate ", task.info.name), 2 * images->size());
  size_t done = 0;
  for (const auto pass : {&ActivationRange::Widen, &ActivationRange::Count}) {
    absl::Status status = RunAll(
        **network, **packed, task.info, *images, progress, done,
        [&](size_t index, absl::Span<const float> values) { (ranges[index].*pass)(values); });
    if (!status.ok()) return status;
    status = CheckFinite(arch, task.info.name, ranges);
    if (!status.ok()) return status;
  }
  task.info.activation_scales.clear();
  for (size_t a = 0; a < ranges.size(); ++a) {
    task.info.activation_scales.push_back(
        ranges[a].Scale(spec.method, IsSigned(arch, a) ? 127 : 255));
  }
  task.info.calibration = {{"images", absl::StrCat(images->size())},
                           {"images_sha256", *std::move(digest)},
                           {"method", MethodName(spec.method)}};
  return absl::OkStatus();
}

}  // namespace bitplex
