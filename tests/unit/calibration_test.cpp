// Specifications, and scales of distributions whose answer is known.
#include "model_store/calibrate/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model_store/calibrate/activation_range.h"

namespace bitplex {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

TEST(ParseCalibrationSpec, APathAloneIsForEveryTask) {
  const auto spec = ParseCalibrationSpec("data_batch_1.bin");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->task, "");
  EXPECT_EQ(spec->path, "data_batch_1.bin");
  EXPECT_EQ(spec->images, 500u);
  EXPECT_EQ(spec->method, ScaleMethod::kMse);
}

TEST(ParseCalibrationSpec, TaskAndOptionsInAnyOrder) {
  for (const char* text :
       {"birds=/data/a b.bin,images=12,method=max", "birds=/data/a b.bin,method=max,images=12"}) {
    const auto spec = ParseCalibrationSpec(text);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->task, "birds");
    EXPECT_EQ(spec->path, "/data/a b.bin");
    EXPECT_EQ(spec->images, 12u);
    EXPECT_EQ(spec->method, ScaleMethod::kMax);
  }
}

TEST(ParseCalibrationSpec, EveryMethodAndTheEndsOfTheNumberOfImages) {
  EXPECT_EQ(ParseCalibrationSpec("a,method=mse")->method, ScaleMethod::kMse);
  EXPECT_EQ(ParseCalibrationSpec("a,method=percentile")->method, ScaleMethod::kPercentile);
  EXPECT_EQ(ParseCalibrationSpec("a,method=max")->method, ScaleMethod::kMax);
  EXPECT_EQ(ParseCalibrationSpec("a,images=1")->images, 1u);
  EXPECT_EQ(ParseCalibrationSpec("a,images=1000000")->images, 1'000'000u);
}

TEST(ParseCalibrationSpec, OnlyTheFirstEqualsSignEndsTheTask) {
  const auto spec = ParseCalibrationSpec("birds=/data/run=3/a.bin");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->task, "birds");
  EXPECT_EQ(spec->path, "/data/run=3/a.bin");
}

struct BadSpec {
  const char* name;
  const char* text;
  const char* words;
};

class BadSpecs : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecs, AreRefusedByWhatIsWrong) {
  const absl::Status status = ParseCalibrationSpec(GetParam().text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSpecs,
    testing::Values(BadSpec{"Empty", "", "no images"}, BadSpec{"NoPath", "birds=", "no images"},
                    BadSpec{"OptionsOnly", ",images=3", "no images"},
                    BadSpec{"NoTask", "=a.bin", "task"},
                    BadSpec{"ZeroImages", "a,images=0", "images=0"},
                    BadSpec{"NegativeImages", "a,images=-5", "images=-5"},
                    BadSpec{"ManyImages", "a,images=1000001", "1 to 1000000"},
                    BadSpec{"HugeImages", "a,images=99999999999999999999", "images=9999"},
                    BadSpec{"NoNumber", "a,images=", "images= is no number"},
                    BadSpec{"Fraction", "a,images=1.5", "images=1.5"},
                    BadSpec{"WordImages", "a,images=all", "images=all"},
                    BadSpec{"UnknownMethod", "a,method=best", "mse|percentile|max"},
                    BadSpec{"NoMethod", "a,method=", "'method='"},
                    BadSpec{"UnknownKey", "a,threads=2", "'threads=2'"},
                    BadSpec{"NoKey", "a,", "the form is"},
                    BadSpec{"BareKey", "a,images", "images= is no number"}),
    [](const auto& test) { return test.param.name; });

ActivationRange Seen(const std::vector<float>& values) {
  ActivationRange range;
  range.Widen(values);
  range.Count(values);
  return range;
}

// 0 to 1 in even steps.
std::vector<float> Uniform(size_t count) {
  std::vector<float> values;
  for (size_t i = 1; i <= count; ++i) {
    values.push_back(static_cast<float>(i) / static_cast<float>(count));
  }
  return values;
}

// Values whose number falls with their size, as activations' does, the largest near 1.
std::vector<float> Bell(size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    values.push_back(static_cast<float>(std::sqrt(-2 * std::log(1 - share)) / 8));
  }
  return values;
}

TEST(ActivationRange, MaxIsTheLargestMagnitudeOfAllBatches) {
  ActivationRange range;
  for (const auto& values : {std::vector{0.5f, -0.25f}, std::vector{-2.0f}, std::vector{1.0f}}) {
    range.Widen(values);
  }
  range.Count(std::vector{0.5f, -2.0f});
  EXPECT_EQ(range.largest(), 2);
  EXPECT_EQ(range.Scale(ScaleMethod::kMax, 255), 2.0f / 255);
  EXPECT_EQ(range.Scale(ScaleMethod::kMax, 127), 2.0f / 127);
}

TEST(ActivationRange, NoughtAloneHasTheUnitOne) {
  for (const ScaleMethod method :
       {ScaleMethod::kMax, ScaleMethod::kPercentile, ScaleMethod::kMse}) {
    EXPECT_EQ(Seen({}).Scale(method, 255), 1);
    EXPECT_EQ(Seen({0.0f, -0.0f, 0.0f}).Scale(method, 255), 1);
  }
}

TEST(ActivationRange, PercentileLeavesOutOneInTenThousand) {
  // Of 100,000 values ten may go: the eleventh largest of the even ones is 0.9999.
  EXPECT_NEAR(Seen(Uniform(100'000)).Scale(ScaleMethod::kPercentile, 255) * 255, 0.9999, 2e-4);
  std::vector<float> values = Uniform(100'000);
  values.insert(values.end(), 9, 50.0f);
  EXPECT_NEAR(Seen(values).Scale(ScaleMethod::kPercentile, 255) * 255, 1, 50.0 / 8192 + 1e-3);
  values.insert(values.end(), 3, 50.0f);
  EXPECT_EQ(Seen(values).Scale(ScaleMethod::kPercentile, 255), 50.0f / 255) << "too many to clip";
}

TEST(ActivationRange, PercentileOfFewValuesClipsNone) {
  EXPECT_EQ(Seen({0.1f, 0.2f, 3.0f}).Scale(ScaleMethod::kPercentile, 127), 3.0f / 127);
}

TEST(ActivationRange, LeastSquaresKeepsAnEvenDistributionWhole) {
  EXPECT_NEAR(Seen(Uniform(100'000)).Scale(ScaleMethod::kMse, 255) * 255, 1, 0.011);
}

TEST(ActivationRange, LeastSquaresClipsOneOutlierAndMaxDoesNot) {
  std::vector<float> values = Bell(400'000);
  const float own = Seen(values).largest();
  values.push_back(4 * own);
  const ActivationRange range = Seen(values);
  EXPECT_EQ(range.Scale(ScaleMethod::kMax, 127), 4 * own / 127);
  EXPECT_LT(range.Scale(ScaleMethod::kMse, 127), 2 * own / 127);
}

// Fewer levels have wider units, for which clipping pays sooner.
TEST(ActivationRange, LeastSquaresClipsMoreWithFewerLevels) {
  const ActivationRange range = Seen(Bell(100'000));
  EXPECT_LT(range.Scale(ScaleMethod::kMse, 15) * 15, range.Scale(ScaleMethod::kMse, 255) * 255);
}

// The squared error of values held in integers to `levels`.
double SquaredError(const std::vector<float>& values, double unit, int levels) {
  double error = 0;
  for (const float value : values) {
    const double off = value - std::min(std::nearbyint(value / unit), double(levels)) * unit;
    error += off * off;
  }
  return error;
}

TEST(ActivationRange, LeastSquaresIsBetterThanAllOtherRanges) {
  for (const int levels : {15, 127, 255}) {
    const std::vector<float> values = Bell(20'000);
    const ActivationRange range = Seen(values);
    const double chosen = SquaredError(values, range.Scale(ScaleMethod::kMse, levels), levels);
    for (int percent = 1; percent <= 100; ++percent) {
      const double unit = double{range.largest()} * percent / 100 / levels;
      // Bins are as wide as a 32nd of the finest unit here: the choice is that good.
      EXPECT_LE(chosen, SquaredError(values, unit, levels) * 1.01) << percent << " %";
    }
  }
}

TEST(ActivationRange, SignsDoNotCount) {
  std::vector<float> values = Bell(1000), mixed = values;
  for (size_t i = 0; i < mixed.size(); i += 2) mixed[i] = -mixed[i];
  for (const ScaleMethod method :
       {ScaleMethod::kMax, ScaleMethod::kPercentile, ScaleMethod::kMse}) {
    EXPECT_EQ(Seen(mixed).Scale(method, 127), Seen(values).Scale(method, 127));
  }
}

TEST(ActivationRange, OfHowManyBatchesDoesNotMatter) {
  const std::vector<float> values = Bell(1000);
  ActivationRange parts;
  for (const auto pass : {&ActivationRange::Widen, &ActivationRange::Count}) {
    for (size_t first = 0; first < values.size(); first += 7) {
      (parts.*pass)(absl::MakeConstSpan(values).subspan(first, 7));
    }
  }
  for (const ScaleMethod method :
       {ScaleMethod::kMax, ScaleMethod::kPercentile, ScaleMethod::kMse}) {
    EXPECT_EQ(parts.Scale(method, 255), Seen(values).Scale(method, 255));
  }
}

TEST(ActivationRange, WhatIsNotFiniteIsTold) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(Seen({1.0f, -3e38f}).finite());
  EXPECT_FALSE(Seen({kInfinity}).finite());
  EXPECT_FALSE(Seen({1.0f, -kInfinity, 2.0f}).finite());
  EXPECT_FALSE(Seen({1.0f, std::numeric_limits<float>::quiet_NaN(), 2.0f}).finite());
}

// A store's scales are above zero, and the executors divide by them.
TEST(ActivationRange, TheSmallestActivationsStillHaveAUsableUnit) {
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  for (const float largest : {kSmallest, 1e-40f, 1e-38f}) {
    for (const ScaleMethod method :
         {ScaleMethod::kMax, ScaleMethod::kPercentile, ScaleMethod::kMse}) {
      EXPECT_GE(Seen({0.0f, largest}).Scale(method, 255), std::numeric_limits<float>::min());
    }
  }
}

}  // namespace
}  // namespace bitplex
