#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "model_store/view/narrow.h"
#include "server/executor/onednn/activations.h"

namespace bitplex::onednn {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> RandomValues(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random()) * 0x1p-31f - 1;
  return values;
}

std::vector<int8_t> ToInt8(float scale, const std::vector<float>& images) {
  std::vector<int8_t> out(images.size());
  ConvertInput(Precision::kInt8, scale, images, out.data());
  return out;
}

TEST(ConvertInput, Int8RoundsToTheNearestUnitAndTiesToTheEven) {
  EXPECT_THAT(ToInt8(1, {0.0f, -0.0f, 0.49f, 0.5f, 0.51f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f}),
              ElementsAre(0, 0, 0, 0, 1, 2, 2, 0, -2, 126));
  EXPECT_THAT(ToInt8(0.25f, {0.25f, 0.3f, 0.375f, -1.0f, 31.75f}), ElementsAre(1, 1, 2, -4, 127));
}

TEST(ConvertInput, Int8ClipsToPlusAndMinus127) {
  EXPECT_THAT(ToInt8(1, {126.9f, 127.4f, 127.6f, 1e9f, 3e38f, kInfinity}), Each(127));
  EXPECT_THAT(ToInt8(1, {-126.9f, -127.4f, -128.0f, -1e9f, -3e38f, -kInfinity}), Each(-127));
}

TEST(ConvertInput, Int8EveryIntegerComesBack) {
  for (const float scale : {0.02f, 1.0f, 0x1p-100f, 0x1p100f}) {
    for (int unit = -127; unit <= 127; ++unit) {
      EXPECT_THAT(ToInt8(scale, {static_cast<float>(unit) * scale}), ElementsAre(unit)) << scale;
    }
  }
}

// The smallest scale that a store may have is a subnormal number, whose reciprocal is infinite.
TEST(ConvertInput, Int8WithTheSmallestScaleKeepsZeroAndSigns) {
  EXPECT_THAT(ToInt8(std::numeric_limits<float>::denorm_min(), {0.0f, 1.0f, -1.0f}),
              ElementsAre(0, 127, -127));
}

TEST(ConvertInput, Int8GivesTheLowestIntegerForWhatIsNoNumber) {
  EXPECT_THAT(ToInt8(1, {std::numeric_limits<float>::quiet_NaN(), 5.0f}), ElementsAre(-127, 5));
}

TEST(ConvertInput, Bfloat16IsTheNearestOfTheTwoNeighbours) {
  std::vector<float> images = RandomValues(1000, 1);
  const float tie = std::bit_cast<float>(0x3f808000u);      // Between 0x3f80 and 0x3f81.
  const float odd_tie = std::bit_cast<float>(0x3f818000u);  // Between 0x3f81 and 0x3f82.
  images.insert(images.end(), {tie, odd_tie, -tie, 0.0f, -0.0f});
  std::vector<uint16_t> out(images.size());
  ConvertInput(Precision::kBfloat16, 1, images, out.data());
  const auto value = [](uint32_t bits) { return double{std::bit_cast<float>(bits << 16)}; };
  for (size_t i = 0; i < images.size(); ++i) {
    const uint32_t below = std::bit_cast<uint32_t>(images[i]) >> 16;  // In magnitude.
    const double off = std::fabs(value(out[i]) - images[i]);
    const double other = std::fabs(value(out[i] == below ? below + 1 : below) - double{images[i]});
    ASSERT_TRUE(out[i] == below || out[i] == below + 1) << i;
    ASSERT_TRUE(off < other || (off == other && out[i] % 2 == 0)) << i;
  }
}

TEST(ConvertInput, Float32IsCopied) {
  const std::vector<float> images = {0.0f, -0.0f, 1e-45f, kInfinity, -3.25f};
  std::vector<float> out(images.size());
  ConvertInput(Precision::kFloat32, 1, images, out.data());
  for (size_t i = 0; i < images.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(images[i]));
  }
}

// Activations of `pixels` x `channels` in the type, and their values.
struct Activations {
  std::vector<uint8_t> bytes;
  std::vector<double> values;
};

Activations RandomActivations(Precision precision, float scale, size_t count) {
  Activations made;
  const auto append = [&](auto value) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&value);
    made.bytes.insert(made.bytes.end(), bytes, bytes + sizeof(value));
  };
  for (const float value : RandomValues(count, 7)) {
    if (precision == Precision::kInt8) {
      const auto unit = static_cast<uint8_t>(std::lround(std::fabs(value) * 255));
      append(unit);
      made.values.push_back(double{scale} * unit);
    } else if (precision == Precision::kBfloat16) {
      const uint16_t narrow = RoundToBfloat16(value);
      append(narrow);
      made.values.push_back(std::bit_cast<float>(uint32_t{narrow} << 16));
    } else {
      append(value);
      made.values.push_back(value);
    }
  }
  return made;
}

class AveragePoolTest : public testing::TestWithParam<Precision> {};

TEST_P(AveragePoolTest, IsTheMeanOfEachChannel) {
  constexpr float kScale = 0.037f;
  for (const size_t pixels : {1, 2, 16, 49, 1000}) {
    for (const size_t channels : {1, 8, 64, 515}) {
      const Activations in = RandomActivations(GetParam(), kScale, pixels * channels);
      std::vector<float> features(channels, 99.0f);
      AveragePool(GetParam(), kScale, in.bytes.data(), pixels, absl::MakeSpan(features));
      for (size_t c = 0; c < channels; ++c) {
        double mean = 0, size = 0;
        for (size_t p = 0; p < pixels; ++p) {
          mean += in.values[p * channels + c] / static_cast<double>(pixels);
          size += std::fabs(in.values[p * channels + c]) / static_cast<double>(pixels);
        }
        // A float32 sum of so many values is off by its rounding, at most once a value.
        ASSERT_NEAR(features[c], mean, size * static_cast<double>(pixels + 2) * 0x1p-24)
            << pixels << " pixels, channel " << c << " of " << channels;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, AveragePoolTest,
                         testing::Values(Precision::kFloat32, Precision::kBfloat16,
                                         Precision::kInt8),
                         [](const auto& test) { return PrecisionName(test.param); });

TEST(Classify, IsWeightTimesFeaturesPlusBias) {
  for (const size_t inputs : {1, 15, 16, 17, 64, 500, 512}) {
    for (const size_t classes : {1, 3, 100}) {
      const std::vector<float> weight = RandomValues(inputs * classes, 1);
      const std::vector<float> bias = RandomValues(classes, 2);
      const std::vector<float> features = RandomValues(inputs, 3);
      std::vector<float> logits(classes + 1, 99.0f);
      Classify({weight, bias}, features, logits.data());
      for (size_t k = 0; k < classes; ++k) {
        double sum = bias[k], size = std::fabs(bias[k]);
        for (size_t i = 0; i < inputs; ++i) {
          const double product = double{weight[k * inputs + i]} * features[i];
          sum += product;
          size += std::fabs(product);
        }
        // No value passes through more additions than there are lanes and rounds of them.
        ASSERT_NEAR(logits[k], sum, size * static_cast<double>(inputs / 16 + 34) * 0x1p-24)
            << inputs << " inputs, class " << k << " of " << classes;
      }
      EXPECT_EQ(logits[classes], 99.0f) << "written behind the end";
    }
  }
}

}  // namespace
}  // namespace bitplex::onednn
