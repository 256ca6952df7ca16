#include "server/executor/choose_precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

using enum Precision;
using testing::HasSubstr;

// Says what it is told to support, and runs nothing.
class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(std::vector<Precision> supported) : supported_(std::move(supported)) {}
  std::string_view name() const override { return "fake"; }
  absl::Status Supports(Precision precision) const override {
    if (std::find(supported_.begin(), supported_.end(), precision) != supported_.end()) {
      return absl::OkStatus();
    }
    return absl::UnimplementedError(absl::StrCat("no ", PrecisionName(precision), " here"));
  }
  absl::StatusOr<std::unique_ptr<const Network>> Prepare(std::shared_ptr<const WeightSource>,
                                                         Precision) const override {
    return absl::UnimplementedError("runs nothing");
  }

 private:
  const std::vector<Precision> supported_;
};

// Weights of so many mantissa bits, which nobody reads.
class FakeSource final : public WeightSource {
 public:
  FakeSource(unsigned bits, bool scales) : bits_(bits), scales_(scales ? 21 : 0, 0.5f) {}
  const Architecture& arch() const override { return **FindArchitecture("resnet18-cifar"); }
  unsigned mantissa_bits() const override { return bits_; }
  void DecodeFloat32(size_t, size_t, size_t, float*) const override {}
  void DecodeBfloat16(size_t, size_t, size_t, uint16_t*) const override {}
  void DecodeInt8(size_t, size_t, size_t, int8_t*) const override {}
  float Int8Scale(size_t, size_t) const override { return 1; }
  const float* Float32InMemory(size_t) const override { return nullptr; }
  BatchNormParams BatchNorm(size_t) const override { return {}; }
  LinearParams Classifier() const override { return {}; }
  absl::Span<const float> ActivationScales() const override { return scales_; }

 private:
  const unsigned bits_;
  const std::vector<float> scales_;
};

struct Choice {
  unsigned bits;
  bool scales;
  std::vector<Precision> supported;
  Precision chosen;
};

class ChooseByItself : public testing::TestWithParam<Choice> {};

TEST_P(ChooseByItself, TheNarrowestThatIsExactAndRunsHere) {
  const auto chosen = ChoosePrecision(FakeExecutor(GetParam().supported),
                                      FakeSource(GetParam().bits, GetParam().scales), std::nullopt);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_STREQ(PrecisionName(*chosen), PrecisionName(GetParam().chosen));
}

INSTANTIATE_TEST_SUITE_P(Table, ChooseByItself,
                         testing::Values(Choice{1, true, {kFloat32, kBfloat16, kInt8}, kInt8},
                                         Choice{7, true, {kFloat32, kBfloat16, kInt8}, kInt8},
                                         Choice{8, true, {kFloat32, kBfloat16, kInt8}, kBfloat16},
                                         Choice{9, true, {kFloat32, kBfloat16, kInt8}, kFloat32},
                                         Choice{12, true, {kFloat32, kBfloat16, kInt8}, kFloat32},
                                         Choice{24, true, {kFloat32, kBfloat16, kInt8}, kFloat32},
                                         Choice{7, false, {kFloat32, kBfloat16, kInt8}, kBfloat16},
                                         Choice{8, false, {kFloat32, kBfloat16, kInt8}, kBfloat16},
                                         Choice{9, false, {kFloat32, kBfloat16, kInt8}, kFloat32},
                                         Choice{7, true, {kFloat32, kBfloat16}, kBfloat16},
                                         Choice{7, true, {kFloat32, kInt8}, kInt8},
                                         Choice{7, false, {kFloat32, kInt8}, kFloat32},
                                         Choice{8, true, {kFloat32, kInt8}, kFloat32},
                                         Choice{7, true, {kFloat32}, kFloat32}),
                         [](const auto& test) {
                           std::string name = absl::StrCat(test.param.bits, "bits",
                                                           test.param.scales ? "Scales" : "");
                           for (const Precision precision : test.param.supported) {
                             absl::StrAppend(&name, "_", PrecisionName(precision));
                           }
                           return name;
                         });

TEST(ChoosePrecision, WhatIsAskedForIsTakenEvenWhereItRoundsAgain) {
  const FakeExecutor all({kFloat32, kBfloat16, kInt8});
  for (const Precision asked : {kFloat32, kBfloat16, kInt8}) {
    for (const unsigned bits : {4u, 12u}) {
      const auto chosen = ChoosePrecision(all, FakeSource(bits, true), asked);
      ASSERT_TRUE(chosen.ok()) << chosen.status();
      EXPECT_EQ(*chosen, asked);
    }
  }
}

// That scales are missing is for Prepare to say, which knows what to do about it.
TEST(ChoosePrecision, Int8AskedForWithoutScalesIsNotReplacedBehindOnesBack) {
  const auto chosen = ChoosePrecision(FakeExecutor({kFloat32, kInt8}), FakeSource(4, false), kInt8);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(*chosen, kInt8);
}

TEST(ChoosePrecision, WhatIsAskedForAndDoesNotRunHereIsTheExecutorsError) {
  const FakeExecutor only_float({kFloat32});
  for (const Precision asked : {kBfloat16, kInt8}) {
    const absl::Status status = ChoosePrecision(only_float, FakeSource(4, true), asked).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(std::string(status.message()), HasSubstr(PrecisionName(asked)));
  }
}

TEST(RoundsAgain, BeyondSevenAndEightAndTwentyFourBits) {
  for (unsigned bits = 1; bits <= 24; ++bits) {
    const FakeSource source(bits, false);
    EXPECT_EQ(RoundsAgain(source, kInt8), bits > 7) << bits;
    EXPECT_EQ(RoundsAgain(source, kBfloat16), bits > 8) << bits;
    EXPECT_FALSE(RoundsAgain(source, kFloat32)) << bits;
  }
}

}  // namespace
}  // namespace bitplex
