// What is written between epochs: it reads back to the bit, and nothing damaged or foreign does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <limits>

#include "model_store/checkpoint/safetensors_writer.h"
#include "model_store/train/run_state.h"
#include "tests/unit/train_files.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kClasses = 10;
const std::map<std::string, std::string> kSettings = {{"lr", "0.1"}, {"seed", "1"}};

RunState MadeState() {
  RunState state;
  state.network = InitialState(TinyArch(), kClasses, 5);
  state.network.momentum["fc.bias"].values[3] = std::numeric_limits<float>::denorm_min();
  state.network.average["bn1.bias"].values[0] = -0.0f;
  state.epoch = 1;
  state.step = 3;
  state.totals = {1.0 / 3.0, 17};
  state.metrics = {{1, 0.05, 2.25, 12.5, "test", 3, 20, 100.0}};
  state.settings = kSettings;
  return state;
}

class StateTest : public testing::Test {
 protected:
  ~StateTest() override { std::remove(path_.c_str()); }
  absl::StatusOr<RunState> Read(const std::map<std::string, std::string>& settings = kSettings) {
    return ReadRunState(path_, TinyArch(), kClasses, settings);
  }
  std::string Message(const std::map<std::string, std::string>& settings = kSettings) {
    return std::string(Read(settings).status().message());
  }
  const std::string path_ = TempPath("run.state");
};

void ExpectSameBits(const std::map<std::string, Tensor>& a,
                    const std::map<std::string, Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) {
    const Tensor& other = b.at(name);
    ASSERT_EQ(tensor.shape, other.shape) << name;
    ASSERT_EQ(tensor.values.size(), other.values.size()) << name;
    EXPECT_EQ(std::memcmp(tensor.values.data(), other.values.data(), 4 * tensor.values.size()), 0)
        << name;
  }
}

TEST_F(StateTest, ReadsBackToTheBit) {
  const RunState state = MadeState();
  ASSERT_TRUE(WriteRunState(path_, state).ok());
  const auto read = Read();
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSameBits(read->network.weights, state.network.weights);
  ExpectSameBits(read->network.momentum, state.network.momentum);
  ExpectSameBits(read->network.average, state.network.average);
  EXPECT_EQ(read->epoch, 1u);
  EXPECT_EQ(read->step, 3u);
  EXPECT_EQ(read->totals.loss, 1.0 / 3.0);
  EXPECT_EQ(read->totals.correct, 17u);
  EXPECT_EQ(MetricsCsv(read->metrics), MetricsCsv(state.metrics));
}

TEST_F(StateTest, OfOtherOptionsIsRefusedByTheFirstDifference) {
  ASSERT_TRUE(WriteRunState(path_, MadeState()).ok());
  EXPECT_EQ(Read({{"lr", "0.2"}, {"seed", "1"}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message({{"lr", "0.2"}, {"seed", "1"}}),
              HasSubstr("started with lr = 0.1, now it is 0.2"));
  EXPECT_THAT(Message({{"cutout", "8"}}), HasSubstr("started with cutout = (none), now it is 8"));
}

TEST_F(StateTest, ThatIsMissingIsNotFound) {
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StateTest, CutAnywhereIsRefused) {
  ASSERT_TRUE(WriteRunState(path_, MadeState()).ok());
  const std::vector<uint8_t> bytes = ReadBytes(path_);
  for (size_t length = 1; length < bytes.size(); length += 9973) {
    WriteBytes(path_, absl::MakeConstSpan(bytes).first(length));
    EXPECT_THAT(Message(), AllOf(StartsWith(path_), HasSubstr("remove it"))) << length;
  }
}

struct BadState {
  const char* name;
  void (*spoil)(RunState&);
  const char* words;
};

class BadStates : public StateTest, public testing::WithParamInterface<BadState> {};

TEST_P(BadStates, AreRefused) {
  RunState state = MadeState();
  GetParam().spoil(state);
  ASSERT_TRUE(WriteRunState(path_, state).ok());
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadStates,
    testing::Values(
        BadState{"NoMomentum", [](RunState& s) { s.network.momentum.erase("fc.bias"); },
                 "momentum.fc.bias is missing"},
        BadState{"OtherShape", [](RunState& s) { s.network.weights["fc.weight"].shape = {640}; },
                 "weights.fc.weight is missing or has another shape than (10,64)"},
        BadState{"EpochWithoutFigures", [](RunState& s) { s.epoch = 2; }, "2 epochs"},
        BadState{"LossIsNoNumber",
                 [](RunState& s) { s.totals.loss = std::numeric_limits<double>::infinity(); },
                 "its progress cannot be read"}),
    [](const auto& test) { return test.param.name; });

TEST_F(StateTest, ACheckpointIsNoState) {
  const Tensor tensor{{1}, {1.0f}};
  ASSERT_TRUE(checkpoint::WriteSafetensors(path_, {{"fc.bias", &tensor}}, {}).ok());
  EXPECT_THAT(Message(), HasSubstr("no state of a training run"));
}

TEST_F(StateTest, OfANewerVersionIsRefused) {
  const Tensor tensor{{1}, {1.0f}};
  ASSERT_TRUE(checkpoint::WriteSafetensors(path_, {{"fc.bias", &tensor}},
                                           {{"bitplex.run_state", "2"}, {"progress", "{}"}})
                  .ok());
  EXPECT_THAT(Message(), HasSubstr("version 2, this build reads 1"));
}

TEST(MetricsCsv, HasAHeadingAndALineForEachEpoch) {
  EXPECT_EQ(MetricsCsv({{1, 0.05, 2.25, 12.5, "test", 3, 20, 100.04}}),
            "epoch,learning_rate,loss,train_accuracy,measured_on,measured_correct,measured_images,"
            "measured_accuracy,images_per_second\n"
            "1,0.05,2.250000,12.500,test,3,20,15.000,100.0\n");
}

// The writer, by the checkpoint reader.
TEST_F(StateTest, AWrittenCheckpointReadsAsItWas) {
  const Checkpoint made = RandomCheckpoint(TinyArch(), 7, 3);
  std::vector<checkpoint::NamedTensor> tensors;
  for (const auto& [name, tensor] : made.tensors) tensors.push_back({name, &tensor});
  ASSERT_TRUE(checkpoint::WriteSafetensors(path_, tensors, {{"who", "\"me\" \n \xC3\xA9"}}).ok());
  const auto read = ReadCheckpoint(path_, TinyArch());
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSameBits(read->tensors, made.tensors);
  EXPECT_EQ(read->metadata.at("who"), "\"me\" \n \xC3\xA9");
  EXPECT_EQ(read->classes, 7u);
  // Values lie where a mapping of the file can be used as floats.
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, ReadBytes(path_).data(), 8);
  EXPECT_EQ(header_bytes % 8, 0u);
}

TEST_F(StateTest, TheWriterReplacesTextThatIsNoUtf8) {
  const Tensor tensor{{1}, {1.0f}};
  EXPECT_TRUE(checkpoint::WriteSafetensors(path_, {{"a", &tensor}}, {{"k", "\xFF\xFE"}}).ok());
}

TEST_F(StateTest, TheWriterRefusesWhatNobodyCouldRead) {
  const Tensor good{{1}, {1.0f}};
  const Tensor bad{{2}, {1.0f}};
  EXPECT_EQ(checkpoint::WriteSafetensors(path_, {{"a", &bad}}, {}).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(checkpoint::WriteSafetensors(path_, {{"a", &good}, {"a", &good}}, {}).code(),
            absl::StatusCode::kInternal);
  EXPECT_TRUE(ReadBytes(path_).empty());
}

}  // namespace
}  // namespace bitplex::test
