// Small data sets that a network can learn, and a trainer without a network.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "model_store/train/random.h"
#include "model_store/train/trained_tensors.h"
#include "model_store/train/trainer.h"
#include "model_store/train/training_data.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {

// A record of CIFAR-10's layout: noise over a brightness and a position that the label decides.
inline std::vector<uint8_t> LearnableRecord(size_t label, uint64_t seed) {
  CounterRandom random(seed, 100, label);
  std::vector<uint8_t> record = {static_cast<uint8_t>(label)};
  for (size_t i = 0; i < kCifarImageBytes; ++i) {
    const size_t channel = i / 1024;
    const bool bright = channel == label % 3 || (i / 32 % 32 < 16) == (label % 2 == 0);
    record.push_back(static_cast<uint8_t>((bright ? 130 + 10 * label : 20) + random.Below(32)));
  }
  return record;
}

inline void WriteRecords(const std::string& path, size_t count, uint64_t seed) {
  std::ofstream file(path, std::ios::binary);
  for (size_t i = 0; i < count; ++i) {
    const std::vector<uint8_t> record = LearnableRecord(i % 10, seed + i);
    file.write(reinterpret_cast<const char*>(record.data()),
               static_cast<std::streamsize>(record.size()));
  }
}

// A folder that goes with its owner.
class TempFolder {
 public:
  explicit TempFolder(std::string_view name) : path_(TempPath(name)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// A folder with train.bin and test.bin.
inline void MakeDataSet(const TempFolder& folder, size_t train, size_t test) {
  WriteRecords(folder / "train.bin", train, 1);
  WriteRecords(folder / "test.bin", test, 1'000'000);
}

// "Trains" by adding up what it is shown, so that any difference in order, images or rates shows in
// its weights.
class FakeTrainer : public Trainer {
 public:
  absl::Status Restore(const NetworkState& state) override {
    state_ = state;
    return absl::OkStatus();
  }
  absl::StatusOr<NetworkState> Save() override { return state_; }
  absl::Status Step(absl::Span<const float> images, absl::Span<const uint8_t> labels,
                    double learning_rate, double average_decay) override {
    std::vector<float>& sums = state_.weights["fc.weight"].values;
    for (size_t i = 0; i < images.size(); ++i) {
      float& sum = sums[i % sums.size()];
      sum = 0.875f * sum + images[i] * static_cast<float>(learning_rate * average_decay);
    }
    state_.average["fc.weight"] = state_.weights["fc.weight"];
    totals_.loss += loss * static_cast<double>(labels.size());
    totals_.correct += static_cast<size_t>(std::count(labels.begin(), labels.end(), 3));
    steps.push_back(learning_rate);
    return absl::OkStatus();
  }
  absl::StatusOr<Totals> TakeTotals() override { return std::exchange(totals_, {}); }
  // Always class 3.
  absl::Status Predict(absl::Span<const float>, size_t count, absl::Span<float> outputs) override {
    std::fill(outputs.begin(), outputs.end(), 0.0f);
    for (size_t i = 0; i < count; ++i) outputs[i * outputs.size() / count + 3] = 1;
    return absl::OkStatus();
  }
  std::string library() const override { return "fake"; }

  std::vector<double> steps;  // The learning rate of each.
  double loss = 1.5;          // Of every image.

 private:
  NetworkState state_;
  Totals totals_;
};

}  // namespace bitplex::test
