// Programs, run on names instead of numbers: what comes out is the network as its architecture
// says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/executor/onednn/steps.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::onednn {
namespace {

using testing::ElementsAre;

// What a buffer holds.
struct Content {
  std::string formula = "?";
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t scale = 0;  // Number of its activation scale.
  bool is_signed = false;
};

// The network's formula, straight from its architecture.
std::string Formula(const Architecture& arch) {
  std::string x = "relu(conv0(input))";
  if (arch.stem_max_pool) x = absl::StrCat("max(", x, ")");
  for (const ResidualBlock& block : arch.blocks) {
    const std::string inner = absl::StrCat("relu(conv", block.conv1, "(", x, "))");
    const std::string shortcut =
        block.has_downsample ? absl::StrCat("conv", block.downsample, "(", x, ")") : x;
    x = absl::StrCat("relu(conv", block.conv2, "(", inner, ")+", shortcut, ")");
  }
  return x;
}

class StepsTest : public testing::TestWithParam<const char*> {
 protected:
  Content& At(Slot slot) { return slots_[static_cast<size_t>(slot)]; }

  // Runs one step as network.cpp does, and checks what it says of its operands.
  void Run(const Step& step) {
    const ConvLayer& layer = arch_.convs[step.conv];
    const Content in = At(step.in);
    ASSERT_NE(step.in, step.out) << "a convolution cannot write what it reads";
    EXPECT_EQ(step.in_height, in.height);
    EXPECT_EQ(step.in_width, in.width);
    EXPECT_EQ(layer.in_channels, in.channels);
    EXPECT_EQ(step.in_scale, in.scale);
    EXPECT_EQ(in.is_signed, step.in_scale == 0) << "only the network's input is signed";
    Content out{.formula = absl::StrCat("conv", step.conv, "(", in.formula, ")"),
                .height = step.out_height,
                .width = step.out_width,
                .channels = layer.out_channels,
                .scale = step.conv + 1,
                .is_signed = !step.relu};
    if (step.sum) {
      const Content& summed = At(step.out);
      EXPECT_EQ(summed.height, out.height);
      EXPECT_EQ(summed.width, out.width);
      EXPECT_EQ(summed.channels, out.channels);
      EXPECT_EQ(summed.scale, step.summed_scale);
      EXPECT_EQ(summed.is_signed, step.summed_is_signed);
      absl::StrAppend(&out.formula, "+", summed.formula);
    }
    if (step.relu) out.formula = absl::StrCat("relu(", out.formula, ")");
    At(step.out) = out;
    most_values_ = std::max(most_values_, out.height * out.width * out.channels);
    if (heights_.empty() || heights_.back() != out.height) heights_.push_back(out.height);
  }

  void RunAll() {
    At(Slot::kInner) = {"input", arch_.input_height, arch_.input_width, arch_.input_channels, 0,
                        true};
    most_values_ = arch_.input_height * arch_.input_width * arch_.input_channels;
    ASSERT_EQ(program_.steps.size(), arch_.convs.size());
    ASSERT_EQ(program_.swap.size(), program_.steps.size());
    for (size_t s = 0; s < program_.steps.size(); ++s) {
      Run(program_.steps[s]);
      if (s == 0 && program_.stem_pool) {
        Content pooled = At(Slot::kBlock);
        EXPECT_EQ(program_.pool.in_height, pooled.height);
        EXPECT_EQ(program_.pool.in_width, pooled.width);
        pooled.formula = absl::StrCat("max(", pooled.formula, ")");
        pooled.height = program_.pool.out_height;
        pooled.width = program_.pool.out_width;
        At(Slot::kShortcut) = pooled;
        heights_.push_back(pooled.height);
      }
      if (program_.swap[s]) std::swap(At(Slot::kBlock), At(Slot::kShortcut));
    }
  }

  const Architecture& arch_ = test::Arch(GetParam());
  const Program program_ = MakeProgram(arch_);
  Content slots_[kSlots];
  size_t most_values_ = 0;
  std::vector<size_t> heights_;  // Each that differs from the one before.
};

TEST_P(StepsTest, ComputeTheNetworkAndNameSizesAndScalesOfWhatTheyRead) {
  RunAll();
  const Content& last = At(Slot::kBlock);
  EXPECT_EQ(last.formula, Formula(arch_));
  EXPECT_EQ(program_.out_height, last.height);
  EXPECT_EQ(program_.out_width, last.width);
  EXPECT_EQ(program_.out_scale, last.scale);
  EXPECT_EQ(arch_.features, last.channels);
  EXPECT_EQ(program_.slot_values, most_values_);
}

TEST_P(StepsTest, AllConvolutionsRunOnce) {
  std::vector<size_t> runs(arch_.convs.size());
  for (const Step& step : program_.steps) ++runs[step.conv];
  EXPECT_EQ(runs, std::vector<size_t>(arch_.convs.size(), 1));
}

TEST_P(StepsTest, PixelsShrinkAsInThePaperOfTheNetwork) {
  RunAll();
  if (arch_.input_height == 224) {
    EXPECT_THAT(heights_, ElementsAre(112, 56, 28, 14, 7));
    EXPECT_EQ(program_.slot_values, 112u * 112 * 64);
  } else {
    EXPECT_THAT(heights_, ElementsAre(32, 16, 8, 4));
    EXPECT_EQ(program_.slot_values, 32 * 32 * arch_.convs[0].out_channels);
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, StepsTest,
                         testing::Values("resnet18-cifar", "resnet18-imagenet", "resnet10-tiny"),
                         [](const auto& test) {
                           std::string name = test.param;
                           name.erase(name.find('-'), 1);
                           return name;
                         });

}  // namespace
}  // namespace bitplex::onednn
