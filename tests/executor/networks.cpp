#include "tests/executor/networks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "model_store/calibrate/calibration.h"
#include "model_store/dataset/cifar.h"
#include "model_store/format/fused_store.h"
#include "server/image/normalize.h"

namespace bitplex::test {
namespace {

void DieUnlessOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "test support: %s\n", status.ToString().c_str());
  std::abort();
}

// A picture's bytes: a colour of its own that changes from corner to corner, and noise.
std::vector<uint8_t> Picture(size_t height, size_t width, uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t bound) { return static_cast<size_t>(random() % bound); };
  size_t base[3], down[3], right[3];
  for (size_t c = 0; c < 3; ++c) {
    base[c] = below(96);
    down[c] = below(64);
    right[c] = below(64);
  }
  std::vector<uint8_t> rgb;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        rgb.push_back(static_cast<uint8_t>(base[c] + down[c] * y / height + right[c] * x / width +
                                           below(32)));
      }
    }
  }
  return rgb;
}

// A view and the store that it points into.
struct StoredView {
  std::shared_ptr<const FusedStore> store;
  TaskView view;
};

}  // namespace

FuseTask BalancedTask(const Architecture& arch, const TaskOptions& options) {
  FuseTask task = RandomTask(arch, options);
  for (const ConvLayer& layer : arch.convs) {
    // A uniform distribution of this width keeps the variance behind a ReLU.
    const float wanted = std::sqrt(6.0f / static_cast<float>(layer.row_count()));
    std::vector<float>& weights = task.checkpoint.tensors.at(layer.name + ".weight").values;
    float largest = 0;
    for (const float weight : weights) largest = std::max(largest, std::fabs(weight));
    for (float& weight : weights) weight *= wanted / largest;
    std::vector<float>& factors = task.checkpoint.tensors.at(layer.batch_norm + ".weight").values;
    for (size_t c = 0; c < factors.size(); ++c) {
      if (c % 5 == 3) factors[c] = -factors[c];
      if (c % 11 == 7) factors[c] = 0;
    }
  }
  return task;
}

std::shared_ptr<const WeightSource> Stored(const Architecture& arch, const FuseTask& task) {
  const std::string path = TempPath("stored.bpx");
  DieUnlessOk(FuseToFile(arch, {task}, path));
  const auto store = FusedStore::Open(path);
  DieUnlessOk(store.status());
  std::remove(path.c_str());
  const auto both =
      std::make_shared<const StoredView>(StoredView{*store, (*store)->View(0, Reading::kMask)});
  return {both, &both->view};
}

std::vector<float> RandomImages(const Architecture& arch, size_t count, uint32_t seed) {
  const size_t floats = arch.input_values();
  const TaskInfo info = RandomTask(TinyArch(), {}).info;
  std::vector<float> images(count * floats);
  for (size_t i = 0; i < count; ++i) {
    NormalizeRgb8(Picture(arch.input_height, arch.input_width, seed + static_cast<uint32_t>(i)),
                  info.mean, info.std, absl::MakeSpan(images).subspan(i * floats, floats));
  }
  return images;
}

void WriteCifar(const std::string& path, size_t count, size_t classes, uint32_t seed) {
  std::ofstream file(path, std::ios::binary);
  for (size_t i = 0; i < count; ++i) {
    file.put(static_cast<char>(i % classes));
    const std::vector<uint8_t> rgb =
        Picture(kCifarPixels, kCifarPixels, seed + static_cast<uint32_t>(i));
    for (size_t c = 0; c < 3; ++c) {
      for (size_t p = c; p < rgb.size(); p += 3) file.put(static_cast<char>(rgb[p]));
    }
  }
  file.close();
  if (!file) DieUnlessOk(absl::InternalError(absl::StrCat("cannot write ", path)));
}

FuseTask Calibrated(const Executor& executor, const Architecture& arch, FuseTask task) {
  const std::string path = TempPath("calibration.bin");
  WriteCifar(path, 16, task.info.labels.size(), 5000);
  CalibrationSpec spec;
  spec.path = path;
  DieUnlessOk(Calibrate(executor, arch, spec, task));
  std::remove(path.c_str());
  return task;
}

const Executor& LoadedExecutor(const std::string& name) {
  static std::map<std::string, std::unique_ptr<Executor>> loaded;
  std::unique_ptr<Executor>& executor = loaded[name];
  if (executor == nullptr) {
    absl::StatusOr<std::unique_ptr<Executor>> found = LoadExecutor(name);
    DieUnlessOk(found.status());
    executor = *std::move(found);
  }
  return *executor;
}

std::vector<Precision> SupportedPrecisions() {
  std::vector<Precision> supported;
  for (const Precision precision : {Precision::kFloat32, Precision::kBfloat16, Precision::kInt8}) {
    if (LoadedExecutor("onednn").Supports(precision).ok()) supported.push_back(precision);
  }
  return supported;
}

std::unique_ptr<const Network> Prepared(const Executor& executor,
                                        std::shared_ptr<const WeightSource> source,
                                        Precision precision) {
  absl::StatusOr<std::unique_ptr<const Network>> network =
      executor.Prepare(std::move(source), precision);
  DieUnlessOk(network.status());
  return *std::move(network);
}

AlignedBytes::AlignedBytes(size_t bytes, int fill)
    : data_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64))) {
  if (data_ == nullptr) std::abort();
  std::memset(data_, fill, bytes);
}

AlignedBytes::~AlignedBytes() { std::free(data_); }

std::vector<float> Logits(const Network& network, size_t classes, absl::Span<const float> images,
                          size_t count) {
  const auto weights = network.Pack();
  DieUnlessOk(weights.status());
  std::vector<float> logits(count * classes);
  DieUnlessOk(network.Run(**weights, images, count, absl::MakeSpan(logits)));
  return logits;
}

std::vector<float> LayerwiseLogits(const Network& network, size_t classes,
                                   absl::Span<const float> images, size_t count) {
  const AlignedBytes scratch(network.scratch_bytes(), 0x5a);  // As if another layer lay there.
  std::vector<float> logits(count * classes);
  DieUnlessOk(network.RunLayerwise({scratch.data(), network.scratch_bytes()}, images, count,
                                   absl::MakeSpan(logits)));
  return logits;
}

double RelativeError(absl::Span<const float> a, absl::Span<const float> b) {
  double error = 0, reference = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    reference += double{b[i]} * b[i];
  }
  return std::sqrt(error / reference);
}

double RelativeLogitError(absl::Span<const float> a, absl::Span<const float> b, size_t classes) {
  double error = 0, reference = 0;
  for (size_t k = 0; k < classes; ++k) {
    double mean = 0;
    for (size_t i = k; i < b.size(); i += classes) mean += b[i];
    mean *= static_cast<double>(classes) / static_cast<double>(b.size());
    for (size_t i = k; i < b.size(); i += classes) {
      error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      reference += (b[i] - mean) * (b[i] - mean);
    }
  }
  return std::sqrt(error / reference);
}

}  // namespace bitplex::test
