#include "server/executor/predictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <random>

namespace bitplex {
namespace {

using testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<size_t> Indices(const std::vector<RankedClass>& ranked) {
  std::vector<size_t> indices;
  for (const RankedClass& one : ranked) indices.push_back(one.index);
  return indices;
}

TEST(TopKTest, BestFirstWithSoftmaxOverAllClasses) {
  const std::vector<float> logits = {1.0f, 3.0f, 2.0f, -1.0f};
  const std::vector<RankedClass> ranked = TopK(logits, 2);
  ASSERT_THAT(Indices(ranked), ElementsAre(1, 2));
  const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0) + std::exp(-1.0);
  EXPECT_FLOAT_EQ(ranked[0].probability, static_cast<float>(std::exp(3.0) / sum));
  EXPECT_FLOAT_EQ(ranked[1].probability, static_cast<float>(std::exp(2.0) / sum));
}

TEST(TopKTest, EqualOutputsComeInIndexOrder) {
  EXPECT_THAT(Indices(TopK({1.0f, 2.0f, 1.0f, 2.0f, 2.0f}, 4)), ElementsAre(1, 3, 4, 0));
  EXPECT_THAT(Indices(TopK(std::vector<float>(50, 0.0f), 3)), ElementsAre(0, 1, 2));
}

TEST(TopKTest, KIsCutToTheNumberOfClasses) {
  EXPECT_EQ(TopK({1.0f, 2.0f}, 5).size(), 2u);
  EXPECT_TRUE(TopK({1.0f, 2.0f}, 0).empty());
  EXPECT_TRUE(TopK({}, 3).empty());
  EXPECT_EQ(TopK({1.0f}, 1)[0].probability, 1.0f);
}

TEST(TopKTest, AllProbabilitiesAddUpToOne) {
  std::mt19937 random(3);
  std::vector<float> logits;
  for (int i = 0; i < 1000; ++i) logits.push_back(static_cast<float>(random() % 1000) / 50.0f);
  double sum = 0;
  float previous = 1;
  for (const RankedClass& one : TopK(logits, logits.size())) {
    EXPECT_LE(one.probability, previous);
    previous = one.probability;
    sum += one.probability;
  }
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST(TopKTest, LargeOutputsDoNotOverflow) {
  const std::vector<RankedClass> ranked = TopK({FLT_MAX, -FLT_MAX, FLT_MAX}, 3);
  ASSERT_THAT(Indices(ranked), ElementsAre(0, 2, 1));
  EXPECT_EQ(ranked[0].probability, 0.5f);
  EXPECT_EQ(ranked[1].probability, 0.5f);
  EXPECT_EQ(ranked[2].probability, 0.0f);
}

// A store's values are finite, but their products need not be.
TEST(TopKTest, OutputsThatAreNoNumbersComeLast) {
  const std::vector<RankedClass> ranked = TopK({kNan, 1.0f, kNan, -kInfinity, 2.0f}, 5);
  EXPECT_THAT(Indices(ranked), ElementsAre(4, 1, 0, 2, 3));
  EXPECT_EQ(ranked[2].probability, 0.0f);
  EXPECT_FLOAT_EQ(ranked[0].probability + ranked[1].probability, 1.0f);
}

TEST(TopKTest, ProbabilitiesAreNumbersWhateverTheOutputs) {
  const float choices[] = {kNan, kInfinity, -kInfinity, 0.0f, 1.0f};
  for (int pattern = 0; pattern < 125; ++pattern) {
    const std::vector<float> logits = {choices[pattern % 5], choices[pattern / 5 % 5],
                                       choices[pattern / 25]};
    const std::vector<RankedClass> ranked = TopK(logits, 3);
    ASSERT_EQ(ranked.size(), 3u);
    double sum = 0;
    for (const RankedClass& one : ranked) sum += one.probability;
    EXPECT_NEAR(sum, 1.0, 1e-6) << "outputs " << logits[0] << ", " << logits[1] << ", " << logits[2];
  }
}

TEST(TopKTest, ManyNansInAnyOrderDoNoHarm) {
  std::mt19937 random(4);
  for (int round = 0; round < 100; ++round) {
    std::vector<float> logits;
    for (int i = 0; i < 200; ++i) {
      logits.push_back(random() % 3 == 0 ? kNan : static_cast<float>(random() % 10));
    }
    const std::vector<RankedClass> ranked = TopK(logits, 20);
    for (size_t i = 0; i + 1 < ranked.size(); ++i) {
      EXPECT_GE(logits[ranked[i].index], logits[ranked[i + 1].index]);
    }
  }
}

}  // namespace
}  // namespace bitplex
