// The course of a run, around a trainer that only adds up what it is shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "model_store/train/training_run.h"
#include "tests/unit/train_files.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RunTest : public testing::Test {
 protected:
  RunTest() {
    MakeDataSet(folder_, 44, 20);
    data_ = *LoadTrainingData("cifar10", folder_.path(), 0);
    job_.arch = &TinyArch();
    job_.recipe.epochs = 3;
    job_.recipe.batch = 8;  // Five steps an epoch; four images are left over.
    job_.out = folder_ / "out.safetensors";
  }

  // Runs until `steps` steps were taken, or to the end.
  absl::Status Run(size_t steps = 1000) {
    trainer_ = FakeTrainer();
    trainer_.loss = loss_;
    out_.str("");
    return RunTraining(
        job_, data_, trainer_,
        [this](const Checkpoint& c) -> absl::StatusOr<size_t> {
          evaluated_ = c;
          return 13;
        },
        [&] { return trainer_.steps.size() >= steps; }, out_);
  }

  bool Exists(const std::string& suffix) { return std::filesystem::exists(job_.out + suffix); }

  const TempFolder folder_{"train_run"};
  TrainingData data_;
  TrainingJob job_;
  FakeTrainer trainer_;
  double loss_ = 1.5;
  Checkpoint evaluated_;
  std::ostringstream out_;
};

TEST_F(RunTest, TakesWholeBatchesAndTheSchedulesRates) {
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(trainer_.steps.size(), 15u);
  for (size_t i = 0; i < 15; ++i) EXPECT_EQ(trainer_.steps[i], LearningRate(job_.recipe, i, 15));
}

TEST_F(RunTest, WritesTheNetworkThatWasEvaluatedWithItsAccuracyAndRecipe) {
  ASSERT_TRUE(Run().ok());
  const auto read = ReadCheckpoint(job_.out, TinyArch());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->tensors.at("fc.weight").values, evaluated_.tensors.at("fc.weight").values);
  EXPECT_EQ(read->metadata.at("test-correct"), "13");
  EXPECT_EQ(read->metadata.at("test-images"), "20");
  EXPECT_EQ(read->metadata.at("test-top1"), "65.00");
  EXPECT_EQ(read->metadata.at("seed"), "1");
  EXPECT_EQ(read->metadata.at("schedule"), "cosine");
  EXPECT_EQ(read->metadata.at("train-data"), data_.train_digests);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("epoch 3/3: loss 1.5000"), HasSubstr("65.00 % (13 of 20)"),
                    HasSubstr("20 images, 13 correct, top-1 65.00 %")));
}

TEST_F(RunTest, StartsFromACheckpointAndSaysWhich) {
  const NetworkState other = InitialState(TinyArch(), 10, 99);
  Checkpoint init;
  init.tensors = other.weights;
  init.file_name = "a.pt";
  init.sha256 = "beef";
  job_.init = &init;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(evaluated_.tensors.at("fc.bias").values, other.weights.at("fc.bias").values);
  EXPECT_EQ(ReadCheckpoint(job_.out, TinyArch())->metadata.at("init"), "a.pt=beef");
}

TEST_F(RunTest, ACheckpointOfOtherClassesGivesAllButTheClassifier) {
  const NetworkState other = InitialState(TinyArch(), 7, 99);
  Checkpoint init;
  init.tensors = other.weights;
  const NetworkState state = StateFrom(init, TinyArch(), 10, 1);
  const NetworkState random = InitialState(TinyArch(), 10, 1);
  for (const auto& [name, tensor] : state.weights) {
    const auto& from = name.starts_with("fc.") ? random : other;
    EXPECT_EQ(tensor.values, from.weights.at(name).values) << name;
    EXPECT_EQ(state.average.at(name).values, tensor.values);
  }
}

TEST_F(RunTest, KeepsTheFiguresOfEveryEpochAndRemovesTheState) {
  ASSERT_TRUE(Run().ok());
  std::ifstream csv(job_.out + ".csv");
  std::vector<std::string> lines;
  for (std::string line; std::getline(csv, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[1], HasSubstr("test,2,20,10.000"));  // Two of twenty are of class 3.
  EXPECT_THAT(lines[3], HasSubstr("test,13,20,65.000"));
  EXPECT_FALSE(Exists(".state"));
}

TEST_F(RunTest, MeasuresOnTheHoldoutUntilTheLastEpoch) {
  data_ = *LoadTrainingData("cifar10", folder_.path(), 14);
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("holdout 14.29 % (2 of 14)"), HasSubstr("test 65.00 %")));
}

class Interrupted : public RunTest, public testing::WithParamInterface<size_t> {};

TEST_P(Interrupted, AndContinuedEndsInTheSameBytes) {
  ASSERT_TRUE(Run().ok());
  const std::vector<uint8_t> whole = ReadBytes(job_.out);
  std::filesystem::remove(job_.out);
  const absl::Status stopped = Run(GetParam());
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(stopped.message()), HasSubstr("continue with --resume"));
  EXPECT_FALSE(Exists(""));
  job_.resume = true;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(trainer_.steps.size(), 15 - GetParam());
  EXPECT_EQ(ReadBytes(job_.out), whole);
}

INSTANTIATE_TEST_SUITE_P(AfterStep, Interrupted, testing::Values(1, 4, 5, 6, 10, 14, 15));

TEST_F(RunTest, DoesNotOverwriteAnUnfinishedRun) {
  ASSERT_EQ(Run(6).code(), absl::StatusCode::kCancelled);
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("add --resume"));
}

TEST_F(RunTest, ContinuesOnlyWithTheSameOptions) {
  ASSERT_EQ(Run(6).code(), absl::StatusCode::kCancelled);
  job_.resume = true;
  job_.recipe.learning_rate = 0.2;
  EXPECT_THAT(std::string(Run().message()), HasSubstr("lr = 0.1, now it is 0.2"));
}

TEST_F(RunTest, ContinuesOnlyOnTheSameImages) {
  ASSERT_EQ(Run(6).code(), absl::StatusCode::kCancelled);
  job_.resume = true;
  WriteRecords(folder_ / "train.bin", 44, 2);
  data_ = *LoadTrainingData("cifar10", folder_.path(), 0);
  EXPECT_THAT(std::string(Run().message()), HasSubstr("started with train-data = train.bin="));
}

TEST_F(RunTest, ResumeStartsARunThatHasNoStateAndLeavesAFinishedOneAlone) {
  job_.resume = true;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(trainer_.steps.size(), 15u);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(trainer_.steps.size(), 0u);
  EXPECT_THAT(out_.str(), HasSubstr("is done"));
}

TEST_F(RunTest, StopsWhenTheLossIsNoNumber) {
  loss_ = std::nan("");
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("lower --lr"));
  EXPECT_FALSE(Exists(""));
}

TEST_F(RunTest, RefusesABatchLargerThanTheSet) {
  job_.recipe.batch = 45;
  EXPECT_THAT(std::string(Run().message()), HasSubstr("--batch 45 is more than the 44"));
}

TEST_F(RunTest, FailsBeforeTheFirstStepWhenTheStateCannotBeWritten) {
  job_.out = folder_ / "no/such/folder/out.safetensors";
  EXPECT_FALSE(Run().ok());
  EXPECT_TRUE(trainer_.steps.empty());
}

}  // namespace
}  // namespace bitplex::test
