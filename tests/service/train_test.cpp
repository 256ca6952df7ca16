// LibTorch's training steps against values computed by hand, and whole runs of `bitplex train`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "model_store/train/trained_tensors.h"
#include "model_store/train/trainer.h"
#include "tests/service/child_process.h"
#include "tests/unit/train_files.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr size_t kBatch = 4;

std::vector<float> SomeImages(size_t count) {
  CounterRandom random(1, 2, 3);
  std::vector<float> images(count * kCifarImageBytes);
  for (float& value : images) value = static_cast<float>(2 * random.Unit() - 1);
  return images;
}

class StepTest : public testing::Test {
 protected:
  // A trainer whose classifier gives `logits` for every image.
  void Start(TrainerOptions options, const std::vector<float>& logits = {}) {
    options.classes = logits.empty() ? 3 : logits.size();
    auto made = LoadTrainer("libtorch", TinyArch(), options);
    ASSERT_TRUE(made.ok()) << made.status();
    trainer_ = *std::move(made);
    before_ = InitialState(TinyArch(), options.classes, 1);
    if (!logits.empty()) {
      std::vector<float>& weights = before_.weights["fc.weight"].values;
      weights.assign(weights.size(), 0.0f);
      before_.weights["fc.bias"].values = logits;
    }
    ASSERT_TRUE(trainer_->Restore(before_).ok());
  }
  void Step(double learning_rate, double average_decay) {
    const absl::Status status =
        trainer_->Step(images_, {labels_.data(), kBatch}, learning_rate, average_decay);
    ASSERT_TRUE(status.ok()) << status;
    before_ = after_.weights.empty() ? before_ : after_;
    after_ = *trainer_->Save();
  }

  const std::vector<float> images_ = SomeImages(kBatch);
  const std::vector<uint8_t> labels_ = {0, 1, 2, 1};
  std::unique_ptr<Trainer> trainer_;
  NetworkState before_;
  NetworkState after_;
};

TEST_F(StepTest, LossIsTheCrossEntropyWithSmoothedLabels) {
  const std::vector<float> logits = {0.5f, 2.0f, -1.0f};
  for (const double smoothing : {0.0, 0.1, 0.3}) {
    Start({.label_smoothing = smoothing}, logits);
    Step(0, 0);
    const double log_sum = std::log(std::exp(0.5) + std::exp(2.0) + std::exp(-1.0));
    const double mean = log_sum - (0.5 + 2.0 - 1.0) / 3;
    double expected = 0;
    for (const uint8_t label : labels_) {
      expected += (1 - smoothing) * (log_sum - logits[label]) + smoothing * mean;
    }
    const Trainer::Totals totals = *trainer_->TakeTotals();
    EXPECT_NEAR(totals.loss, expected, 1e-5) << smoothing;
    EXPECT_EQ(totals.correct, 2u);
    EXPECT_EQ(trainer_->TakeTotals()->loss, 0) << "totals are taken once";
  }
}

TEST_F(StepTest, TheClassifiersBiasFollowsItsGradientWithNesterovsMomentum) {
  const std::vector<float> logits = {0.5f, 2.0f, -1.0f};
  Start({.momentum = 0.9}, logits);
  Step(0.1, 0);
  const double sum = std::exp(0.5) + std::exp(2.0) + std::exp(-1.0);
  const double share[] = {0.25, 0.5, 0.25};  // Of the labels.
  for (size_t c = 0; c < 3; ++c) {
    const double gradient = std::exp(logits[c]) / sum - share[c];
    EXPECT_NEAR(after_.momentum["fc.bias"].values[c], gradient, 1e-6);
    EXPECT_NEAR(after_.weights["fc.bias"].values[c], logits[c] - 0.1 * 1.9 * gradient, 1e-6);
  }
}

TEST_F(StepTest, WeightDecaySparesBatchNormsAndBiasesUnlessAsked) {
  for (const bool decay_all : {false, true}) {
    // Without a gradient: a classifier of noughts passes none down.
    Start({.momentum = 0, .weight_decay = 0.5, .decay_all = decay_all}, {0.5f, 2.0f, -1.0f});
    Step(0.1, 0);
    const auto shrunk = [&](const char* name) {
      std::vector<float> expected = before_.weights[name].values;
      for (float& value : expected) value *= 0.95f;
      return expected;
    };
    EXPECT_THAT(after_.weights["layer1.0.conv1.weight"].values,
                Pointwise(FloatNear(1e-6f), shrunk("layer1.0.conv1.weight")));
    EXPECT_FLOAT_EQ(after_.weights["bn1.weight"].values[0], decay_all ? 0.95f : 1.0f);
    after_ = {};
  }
}

TEST_F(StepTest, TheAverageFollowsWeightsAndStatistics) {
  Start({.momentum = 0.9});
  for (int i = 0; i < 3; ++i) {
    Step(0.1, 0.75);
    for (const char* name : {"conv1.weight", "fc.weight", "bn1.bias", "bn1.running_var"}) {
      const std::vector<float>& old = before_.average[name].values;
      const std::vector<float>& now = after_.weights[name].values;
      std::vector<float> expected;
      for (size_t j = 0; j < old.size(); ++j) expected.push_back(0.75f * old[j] + 0.25f * now[j]);
      EXPECT_THAT(after_.average[name].values, Pointwise(FloatNear(1e-6f), expected)) << name;
    }
  }
}

TEST_F(StepTest, RunningStatisticsMoveByATenth) {
  Start({});
  Step(0, 0);
  for (const float mean : after_.weights["bn1.running_mean"].values) EXPECT_NE(mean, 0.0f);
  for (const float variance : after_.weights["bn1.running_var"].values) EXPECT_GT(variance, 0.9f);
}

TEST_F(StepTest, Bf16KeepsFloat32WeightsAndComesNearToFloat32) {
  Start({.momentum = 0.9});
  Step(0.001, 0);
  const NetworkState exact = after_;
  const double loss = trainer_->TakeTotals()->loss;
  after_ = {};
  Start({.precision = Precision::kBfloat16, .momentum = 0.9});
  Step(0.001, 0);
  EXPECT_NEAR(trainer_->TakeTotals()->loss, loss, 0.02 * loss);
  double difference = 0, moved = 0;
  const std::vector<float>& first = before_.weights["conv1.weight"].values;
  for (size_t i = 0; i < first.size(); ++i) {
    const float a = exact.weights.at("conv1.weight").values[i];
    const float b = after_.weights["conv1.weight"].values[i];
    difference += std::pow(a - b, 2);
    moved += std::pow(a - first[i], 2);
  }
  EXPECT_GT(moved, 0);
  // Measured 0.24: four images of noise leave little of a gradient but its rounding.
  EXPECT_LT(std::sqrt(difference), 0.5 * std::sqrt(moved));
  EXPECT_GT(difference, 0) << "it ran in float32";
}

TEST_F(StepTest, PredictsWithTheAveragedWeights) {
  Start({}, {0.5f, 2.0f, -1.0f});
  std::vector<float> outputs(kBatch * 3);
  NetworkState state = before_;
  state.average["fc.weight"].values.assign(state.average["fc.weight"].values.size(), 0.0f);
  state.average["fc.bias"].values = {7, 8, 9};
  ASSERT_TRUE(trainer_->Restore(state).ok());
  ASSERT_TRUE(trainer_->Predict(images_, kBatch, absl::MakeSpan(outputs)).ok());
  EXPECT_THAT(outputs, testing::ElementsAre(7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9));
}

TEST_F(StepTest, WrongSizesAndLabelsAreErrors) {
  Start({});
  const std::vector<uint8_t> label = {3};
  EXPECT_FALSE(trainer_->Step(SomeImages(1), label, 0.1, 0).ok());
  EXPECT_FALSE(trainer_->Step(images_, label, 0.1, 0).ok());
  NetworkState state = before_;
  state.momentum.erase("conv1.weight");
  EXPECT_EQ(trainer_->Restore(state).code(), absl::StatusCode::kInvalidArgument);
}

// Runs of the program, on 512 images.
class CommandTest : public testing::Test {
 protected:
  CommandTest() { MakeDataSet(folder_, 512, 100); }

  std::vector<std::string> Arguments(const std::string& out,
                                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train",        "--arch",   "resnet10-tiny",
                                          "--task",       "cifar10",  "--data",
                                          folder_.path(), "--epochs", "6",
                                          "--batch",      "64",       "--lr",
                                          "0.05",         "--cutout", "8",
                                          "--out",        out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // What a run that nothing interrupts writes.
  std::vector<uint8_t> Uninterrupted(const std::vector<std::string>& more = {}) {
    const std::string out = folder_ / "whole.safetensors";
    ChildProcess train("bitplex", Arguments(out, more));
    EXPECT_EQ(train.Wait(), 0) << train.output();
    output_ = train.output();
    std::vector<uint8_t> bytes = ReadBytes(out);
    EXPECT_FALSE(bytes.empty());
    return bytes;
  }
  // Sends `signal` after `text` was printed; whether the run ended by it, with `exit_code`. On a
  // busy machine a run can be done before the signal comes; then it is tried again.
  bool Interrupt(const std::vector<std::string>& arguments, const std::string& out,
                 const std::string& text, int signal, int exit_code) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      ChildProcess train("bitplex", arguments);
      const bool printed = train.WaitFor(text);
      train.Signal(signal);
      const int code = train.Wait();
      output_ = train.output();
      if (!printed || (code != 0 && code != exit_code)) return false;
      if (code == exit_code && ReadBytes(out).empty()) return true;
      std::filesystem::remove(out);
      std::filesystem::remove(out + ".state");
    }
    return false;
  }

  const TempFolder folder_{"train_command"};
  std::string output_;
};

TEST_F(CommandTest, LearnsAndEvaluateAgreesToTheImage) {
  Uninterrupted({"--average-decay", "0.9", "--no-augment"});
  const size_t at = output_.rfind("100 images, ");
  ASSERT_NE(at, std::string::npos) << output_;
  const int correct = std::atoi(output_.c_str() + at + 12);
  EXPECT_GT(correct, 50) << output_;  // Ten classes: 10 by chance.
  ChildProcess evaluate("bitplex", {"evaluate", "--checkpoint", folder_ / "whole.safetensors",
                                    "--data", folder_ / "test.bin"});
  EXPECT_EQ(evaluate.Wait(), 0) << evaluate.output();
  EXPECT_THAT(evaluate.output(), HasSubstr(absl::StrCat("100 images, ", correct, " correct")));
}

class Precisions : public CommandTest, public testing::WithParamInterface<const char*> {};

TEST_P(Precisions, KilledAndContinuedARunEndsInTheSameBytes) {
  const std::vector<uint8_t> whole = Uninterrupted({"--precision", GetParam()});
  const std::string out = folder_ / "killed.safetensors";
  const std::vector<std::string> arguments = Arguments(out, {"--precision", GetParam()});
  ASSERT_TRUE(Interrupt(arguments, out, "epoch 2/6", SIGKILL, -SIGKILL)) << output_;
  ChildProcess again("bitplex", Arguments(out, {"--precision", GetParam(), "--resume"}));
  EXPECT_EQ(again.Wait(), 0) << again.output();
  EXPECT_THAT(again.output(), HasSubstr("continuing after"));
  EXPECT_EQ(ReadBytes(out), whole);
}

INSTANTIATE_TEST_SUITE_P(Both, Precisions, testing::Values("f32", "bf16"),
                         [](const auto& test) { return std::string(test.param); });

class Signals : public CommandTest, public testing::WithParamInterface<int> {};

TEST_P(Signals, SaveWithinTheEpochAndContinueToTheSameBytes) {
  const std::vector<uint8_t> whole = Uninterrupted();
  const std::string out = folder_ / "stopped.safetensors";
  ASSERT_TRUE(Interrupt(Arguments(out), out, "epoch 1/6", GetParam(), 130)) << output_;
  EXPECT_THAT(output_, AllOf(HasSubstr("stopped in epoch "), HasSubstr("--resume")));
  ChildProcess again("bitplex", Arguments(out, {"--resume"}));
  EXPECT_EQ(again.Wait(), 0) << again.output();
  EXPECT_EQ(ReadBytes(out), whole);
}

INSTANTIATE_TEST_SUITE_P(Both, Signals, testing::Values(SIGINT, SIGTERM), [](const auto& test) {
  return test.param == SIGINT ? "SIGINT" : "SIGTERM";
});

TEST_F(CommandTest, SaysInOneLineWhatIsWrong) {
  const struct {
    std::vector<std::string> more;
    const char* words;
  } cases[] = {
      {{"--arch", "resnet18-imagenet"}, "CIFAR images are 32 x 32"},
      {{"--data", folder_ / "nothing"}, "cifar-10-binary.tar.gz (md5 "},
      {{"--lr", "-1"}, "--lr is -1"},
      {{"--device", "cuda"}, "give --device cpu"},
      {{"--out", folder_ / "no/such.safetensors"}, "name a file in a folder that is there"},
  };
  for (const auto& [more, words] : cases) {
    if (more[1] == "cuda" && std::filesystem::exists("/dev/nvidia0")) continue;
    std::vector<std::string> arguments = Arguments(folder_ / "bad.safetensors");
    const auto option = std::find(arguments.begin(), arguments.end(), more[0]);
    if (option != arguments.end()) arguments.erase(option, option + 2);
    arguments.insert(arguments.end(), more.begin(), more.end());
    ChildProcess train("bitplex", arguments);
    EXPECT_EQ(train.Wait(), 1) << train.output();
    EXPECT_THAT(train.output(), AllOf(testing::StartsWith("bitplex: "), HasSubstr(words)));
  }
}

}  // namespace
}  // namespace bitplex::test
