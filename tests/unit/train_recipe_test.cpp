// The numbers of a run: learning rates, the average's decay, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model_store/train/recipe.h"

namespace bitplex {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(Cosine, RisesByEqualStepsThenFallsToNought) {
  Recipe recipe;
  recipe.learning_rate = 0.4;
  recipe.warmup = 0.04;
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 0, 100), 0.1);
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 1, 100), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 3, 100), 0.4);
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 4, 100), 0.4);
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 52, 100), 0.2);  // Half of the way from 4 to 100.
  EXPECT_THAT(LearningRate(recipe, 99, 100), DoubleNear(0.0001071, 1e-7));
}

TEST(Cosine, WithoutWarmUpStartsAtTheHighestRate) {
  Recipe recipe;
  recipe.warmup = 0;
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 0, 10), 0.1);
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 5, 10), 0.05);
}

// torch.optim.lr_scheduler.OneCycleLR(max_lr=0.2, total_steps=20, pct_start=0.3).
TEST(OneCycle, IsPyTorchs) {
  Recipe recipe;
  recipe.learning_rate = 0.2;
  recipe.warmup = 0.3;
  recipe.schedule = Schedule::kOneCycle;
  EXPECT_THAT(LearningRate(recipe, 0, 20), DoubleNear(0.008, 1e-12));
  EXPECT_THAT(LearningRate(recipe, 2, 20), DoubleNear(0.07433, 1e-5));
  EXPECT_THAT(LearningRate(recipe, 5, 20), DoubleNear(0.2, 1e-12));
  EXPECT_THAT(LearningRate(recipe, 12, 20), DoubleNear(0.1, 1e-6));
  EXPECT_THAT(LearningRate(recipe, 19, 20), DoubleNear(8e-7, 1e-12));
}

TEST(AverageDecay, ForgetsTheFirstWeightsSoon) {
  const Recipe recipe;
  EXPECT_DOUBLE_EQ(AverageDecay(recipe, 0), 0.1);
  EXPECT_DOUBLE_EQ(AverageDecay(recipe, 80), 0.9);
  EXPECT_DOUBLE_EQ(AverageDecay(recipe, 1'000'000), 0.999);
}

TEST(AverageDecay, OfNoughtKeepsTheLastWeights) {
  Recipe recipe;
  recipe.average_decay = 0;
  EXPECT_EQ(AverageDecay(recipe, 0), 0);
  EXPECT_EQ(AverageDecay(recipe, 500), 0);
}

TEST(Description, HoldsEveryOptionInItsShortestForm) {
  Recipe recipe;
  recipe.seed = 18'446'744'073'709'551'615u;
  const auto described = DescribeRecipe(recipe);
  EXPECT_EQ(described.size(), 13u);
  EXPECT_THAT(described, AllOf(testing::Contains(Pair("lr", "0.1")),
                               testing::Contains(Pair("weight-decay", "5e-04")),
                               testing::Contains(Pair("seed", "18446744073709551615"))));
}

struct BadRecipe {
  const char* name;
  void (*spoil)(Recipe&);
  const char* words;
};

class BadRecipes : public testing::TestWithParam<BadRecipe> {};

TEST_P(BadRecipes, AreRefusedByName) {
  Recipe recipe;
  ASSERT_TRUE(CheckRecipe(recipe).ok());
  GetParam().spoil(recipe);
  const absl::Status status = CheckRecipe(recipe);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().words));
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    All, BadRecipes,
    testing::Values(
        BadRecipe{"NoEpoch", [](Recipe& r) { r.epochs = 0; }, "--epochs is 0; give 1 to"},
        BadRecipe{"BatchOfOne", [](Recipe& r) { r.batch = 1; }, "--batch is 1"},
        BadRecipe{"NegativeRate", [](Recipe& r) { r.learning_rate = -1; }, "--lr is -1"},
        BadRecipe{"RateIsNoNumber", [](Recipe& r) { r.learning_rate = kNan; }, "--lr is nan"},
        BadRecipe{"OnlyWarmUp", [](Recipe& r) { r.warmup = 1; }, "--warmup is 1; give 0 to 0.9"},
        BadRecipe{"MomentumOfOne", [](Recipe& r) { r.momentum = 1; }, "--momentum"},
        BadRecipe{"DecayIsInfinite", [](Recipe& r) { r.weight_decay = INFINITY; },
                  "--weight-decay is inf"},
        BadRecipe{"AllSmoothed", [](Recipe& r) { r.label_smoothing = 1; }, "--label-smoothing"},
        BadRecipe{"CutoutOfAll", [](Recipe& r) { r.cutout = 33; }, "--cutout is 33"},
        BadRecipe{"NeverAveraged", [](Recipe& r) { r.average_decay = 1; }, "--average-decay"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
