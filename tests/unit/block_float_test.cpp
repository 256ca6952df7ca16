// Shared exponents, mantissas and packing against the formulas of FORMAT.md.
#include "model_store/codec/block_float.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <random>

#include "model_store/codec/field.h"

namespace bitplex {
namespace {

constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

struct ExponentCase {
  const char* name;
  std::vector<float> values;
  int exponent;
};

class SharedExponentTest : public testing::TestWithParam<ExponentCase> {};

TEST_P(SharedExponentTest, IsTheSmallestPowerAbove) {
  EXPECT_EQ(SharedExponent(GetParam().values), GetParam().exponent);
}

INSTANTIATE_TEST_SUITE_P(
    Blocks, SharedExponentTest,
    testing::Values(ExponentCase{"One", {1.0f}, 1}, ExponentCase{"Half", {0.5f}, 0},
                    ExponentCase{"BelowOne", {std::nextafter(1.0f, 0.0f)}, 0},
                    ExponentCase{"AboveOne", {std::nextafter(1.0f, 2.0f)}, 1},
                    ExponentCase{"BelowTwo", {std::nextafter(2.0f, 0.0f)}, 1},
                    ExponentCase{"Two", {2.0f}, 2},
                    ExponentCase{"ANegativeOneIsTheLargest", {0.1f, -3.0f, 0.2f}, 2},
                    ExponentCase{"AZeroTensor", {0.0f, -0.0f}, kMinExponent},
                    ExponentCase{"NoValue", {}, kMinExponent},
                    ExponentCase{"Denormal", {kDenormal}, kMinExponent},
                    ExponentCase{"SmallestNormal", {FLT_MIN}, kMinExponent},
                    ExponentCase{"BelowTheFloor", {0x1p-104f}, kMinExponent},
                    ExponentCase{"AtTheFloor", {0x1p-103f}, kMinExponent},
                    ExponentCase{"AboveTheFloor", {0x1p-102f}, kMinExponent + 1},
                    ExponentCase{"Largest", {-FLT_MAX}, kMaxExponent},
                    ExponentCase{"BelowLargestPower", {std::nextafter(0x1p127f, 0.0f)}, 127},
                    ExponentCase{"LargestPower", {0x1p127f}, 128}),
    [](const auto& suite) { return std::string(suite.param.name); });

TEST(SharedExponentSweepTest, EveryPowerOfTwo) {
  for (int power = kMinExponent; power < kMaxExponent; ++power) {
    const float value = std::ldexp(1.0f, power);
    EXPECT_EQ(SharedExponent({value}), power + 1);
    EXPECT_EQ(SharedExponent({std::nextafter(value, 0.0f)}), power);
    EXPECT_EQ(SharedExponent({std::nextafter(value, FLT_MAX)}), power + 1);
  }
}

TEST(MantissaTest, RoundsHalvesAwayFromZero) {
  // Exponent 3, 3 bits: a unit is 1.
  EXPECT_EQ(Mantissa(0.5f, 3, 3), 1u);
  EXPECT_EQ(Mantissa(std::nextafter(0.5f, 0.0f), 3, 3), 0u);
  EXPECT_EQ(Mantissa(1.5f, 3, 3), 2u);
  EXPECT_EQ(Mantissa(2.5f, 3, 3), 3u);
  EXPECT_EQ(Mantissa(-2.5f, 3, 3), 3u);
  EXPECT_EQ(Mantissa(std::nextafter(2.5f, 0.0f), 3, 3), 2u);
}

TEST(MantissaTest, ClampsWhatRoundsUpToTheNextPower) {
  EXPECT_EQ(Mantissa(7.49f, 3, 3), 7u);
  EXPECT_EQ(Mantissa(7.5f, 3, 3), 7u);
  EXPECT_EQ(Mantissa(std::nextafter(8.0f, 0.0f), 3, 3), 7u);
  EXPECT_EQ(Mantissa(0.999f, 0, 1), 1u);
  EXPECT_EQ(Mantissa(FLT_MAX, kMaxExponent, kMaxFieldBits), 0xFFFFFFu);
  EXPECT_EQ(Mantissa(-FLT_MAX, kMaxExponent, 1), 1u);
}

TEST(MantissaTest, ValuesFarBelowTheExponentAreZero) {
  EXPECT_EQ(Mantissa(0.0f, kMinExponent, kMaxFieldBits), 0u);
  EXPECT_EQ(Mantissa(-0.0f, 0, kMaxFieldBits), 0u);
  EXPECT_EQ(Mantissa(kDenormal, kMaxExponent, kMaxFieldBits), 0u);
  // At the floor a unit is 2^-126: half of it rounds up.
  EXPECT_EQ(Mantissa(FLT_MIN / 2, kMinExponent, kMaxFieldBits), 1u);
  EXPECT_EQ(Mantissa(std::nextafter(FLT_MIN / 2, 0.0f), kMinExponent, kMaxFieldBits), 0u);
}

TEST(MantissaTest, TwentyFourBitsKeepEveryFloatOfTheTopBinade) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const float value = std::ldexp(static_cast<float>((1u << 23) | (random() >> 9)), -24);
    EXPECT_EQ(static_cast<float>(Mantissa(value, 0, 24)) * UnitScale(0, 24), value);
  }
}

// |w - back| <= 2^(e - n - 1), exactly, and within a whole unit where the mantissa is clamped.
TEST(MantissaTest, ErrorIsAtMostHalfAUnit) {
  std::mt19937 random(2);
  for (unsigned bits = 1; bits <= kMaxFieldBits; ++bits) {
    for (const int exponent : {kMinExponent, -20, 0, 7, kMaxExponent}) {
      const double unit = std::ldexp(1.0, exponent - static_cast<int>(bits));
      EXPECT_EQ(UnitScale(exponent, bits), unit);
      const double largest = std::ldexp(1.0, exponent) - unit;
      for (int i = 0; i < 2'000; ++i) {
        const float value = std::ldexp(static_cast<float>(random() >> 8), exponent - 24);
        const double back = Mantissa(value, exponent, bits) * unit;
        const double error = std::fabs(value - back);
        const bool clamped = value > largest + unit / 2;
        ASSERT_LE(error, clamped ? unit : unit / 2) << value << " at " << bits << " bits";
        if (clamped) {
          ASSERT_EQ(back, largest);
        }
      }
    }
  }
}

TEST(PackedBytesTest, RoundsUpToWholeBytes) {
  EXPECT_EQ(PackedBytes(0, 64), 0u);
  EXPECT_EQ(PackedBytes(1, 1), 1u);
  EXPECT_EQ(PackedBytes(8, 1), 1u);
  EXPECT_EQ(PackedBytes(9, 1), 2u);
  EXPECT_EQ(PackedBytes(3, 23), 9u);
  EXPECT_EQ(PackedBytes(2'359'296, 64), 18'874'368u);
}

struct PackCase {
  const char* name;
  std::vector<unsigned> widths;  // The first task has the highest bits.
  size_t blocks;                 // Exponents a task.
};

class PackFieldTest : public testing::TestWithParam<PackCase> {};

// Packs every task and decodes it again: exactly the rounded value, whatever lies beside it.
TEST_P(PackFieldTest, EachTaskComesBackRounded) {
  constexpr size_t kCount = 12 * 7;
  const std::vector<unsigned>& widths = GetParam().widths;
  const size_t blocks = GetParam().blocks;
  const size_t run = kCount / blocks;
  unsigned word_bits = 0;
  for (const unsigned bits : widths) word_bits += bits;
  ASSERT_LE(word_bits, kMaxWordBits);

  std::mt19937 random(7);
  std::vector<uint8_t> words(PackedBytes(kCount, word_bits));
  std::vector<std::vector<uint8_t>> signs(widths.size(), std::vector<uint8_t>((kCount + 7) / 8));
  std::vector<std::vector<float>> values(widths.size());
  std::vector<std::vector<int16_t>> exponents(widths.size());
  unsigned shift = word_bits;
  for (size_t t = 0; t < widths.size(); ++t) {
    shift -= widths[t];
    for (size_t i = 0; i < kCount; ++i) {
      const auto mantissa = static_cast<float>(static_cast<int32_t>(random()) >> 7);
      values[t].push_back(std::ldexp(mantissa, -30 - static_cast<int>(i / run)));
    }
    values[t][3] = -0.0f;
    for (size_t b = 0; b < blocks; ++b) {
      exponents[t].push_back(static_cast<int16_t>(
          SharedExponent(absl::MakeSpan(values[t]).subspan(b * run, run))));
    }
    PackField(values[t], exponents[t], widths[t], shift, word_bits, words, signs[t]);
  }

  shift = word_bits;
  for (size_t t = 0; t < widths.size(); ++t) {
    shift -= widths[t];
    const Field field{words.data(), signs[t].data(), kCount, word_bits, shift, widths[t]};
    std::vector<float> back(kCount);
    for (size_t b = 0; b < blocks; ++b) {
      DecodeField(field, b * run, run, UnitScale(exponents[t][b], widths[t]), &back[b * run]);
    }
    for (size_t i = 0; i < kCount; ++i) {
      const int exponent = exponents[t][i / run];
      const double unit = std::ldexp(1.0, exponent - static_cast<int>(widths[t]));
      const double top = std::ldexp(1.0, static_cast<int>(widths[t])) - 1;
      const double rounded = std::min(std::floor(std::fabs(values[t][i]) / unit + 0.5), top) * unit;
      ASSERT_EQ(std::fabs(back[i]), rounded) << "task " << t << ", weight " << i;
      ASSERT_EQ(std::signbit(back[i]), std::signbit(values[t][i])) << "task " << t << ", weight " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Widths, PackFieldTest,
    testing::Values(PackCase{"ThePapers", {12, 11}, 1}, PackCase{"OneBit", {1}, 1},
                    PackCase{"OneTask", {24}, 1}, PackCase{"FullMantissas", {24, 24}, 1},
                    PackCase{"Three", {9, 4, 7}, 1}, PackCase{"SumIs64", {24, 24, 16}, 1},
                    PackCase{"SixtyFourTasks", std::vector<unsigned>(64, 1), 1},
                    PackCase{"ThirtyTwoTasks", std::vector<unsigned>(32, 2), 12},
                    PackCase{"ChannelExponents", {12, 11}, 12}),
    [](const auto& suite) { return std::string(suite.param.name); });

}  // namespace
}  // namespace bitplex
