// Order and augmentation: reproducible, within bounds, and nothing lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "model_store/train/batches.h"
#include "model_store/train/random.h"
#include "server/image/normalize.h"

namespace bitplex {
namespace {

using ::testing::ElementsAre;

const Preset& Cifar10() { return *FindPreset("cifar10"); }

// Every pixel is another colour: red is the column, green the row.
std::vector<uint8_t> Gradient() {
  std::vector<uint8_t> rgb;
  for (size_t row = 0; row < kCifarPixels; ++row) {
    for (size_t column = 0; column < kCifarPixels; ++column) {
      rgb.push_back(static_cast<uint8_t>(column + 1));
      rgb.push_back(static_cast<uint8_t>(row + 1));
      rgb.push_back(200);
    }
  }
  return rgb;
}

class Image {
 public:
  explicit Image(const Augmentation& augmentation) : values_(kCifarImageBytes) {
    const std::vector<uint8_t> rgb = Gradient();
    ImageMaker(Cifar10()).Make(rgb.data(), augmentation, values_.data());
  }
  // The colour that normalises to a pixel's value.
  std::vector<int> At(size_t row, size_t column) const {
    std::vector<int> colour;
    for (size_t c = 0; c < 3; ++c) {
      const float value = values_[3 * (row * kCifarPixels + column) + c];
      colour.push_back(
          static_cast<int>(std::lround((value * Cifar10().std[c] + Cifar10().mean[c]) * 255.0f)));
    }
    return colour;
  }
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<float> values_;
};

TEST(ImageMaker, WithoutAugmentationNormalisesAsTheServerDoes) {
  const std::vector<uint8_t> rgb = Gradient();
  std::vector<float> expected(kCifarImageBytes);
  NormalizeRgb8(rgb, Cifar10().mean, Cifar10().std, absl::MakeSpan(expected));
  EXPECT_EQ(Image({}).values(), expected);
}

TEST(ImageMaker, ShiftsAndFillsWithBlack) {
  const Image image({.shift_rows = 4, .shift_columns = -2});
  EXPECT_THAT(image.At(0, 2), ElementsAre(1, 5, 200));
  EXPECT_THAT(image.At(27, 31), ElementsAre(30, 32, 200));
  EXPECT_THAT(image.At(28, 31), ElementsAre(0, 0, 0));
  EXPECT_THAT(image.At(0, 1), ElementsAre(0, 0, 0));
}

TEST(ImageMaker, Mirrors) {
  const Image image({.mirror = true});
  EXPECT_THAT(image.At(7, 0), ElementsAre(32, 8, 200));
  EXPECT_THAT(image.At(7, 31), ElementsAre(1, 8, 200));
}

TEST(ImageMaker, CutsASquareOutAndStopsAtTheEdge) {
  const Image middle({.cutout = 8, .cutout_row = 16, .cutout_column = 16});
  EXPECT_EQ(std::ranges::count(middle.values(), 0.0f), 8 * 8 * 3);
  const Image corner({.cutout = 8, .cutout_row = 31, .cutout_column = 0});
  EXPECT_EQ(std::ranges::count(corner.values(), 0.0f), 5 * 4 * 3);
  EXPECT_EQ(corner.values()[3 * (31 * kCifarPixels)], 0.0f);
}

TEST(Augmentation, IsOfTheSeedTheEpochAndTheImageAlone) {
  Recipe recipe;
  recipe.cutout = 8;
  const auto draw = [&](size_t epoch, size_t image) {
    const Augmentation a = DrawAugmentation(recipe, epoch, image);
    return std::vector<int>{a.shift_rows, a.shift_columns, a.mirror, a.cutout_row, a.cutout_column};
  };
  const std::vector<int> first = draw(3, 5);
  EXPECT_EQ(draw(3, 5), first);
  EXPECT_NE(draw(4, 5), first);
  EXPECT_NE(draw(3, 6), first);
  recipe.seed = 2;
  EXPECT_NE(draw(3, 5), first);
}

TEST(Augmentation, TakesEveryShiftEquallyOften) {
  const Recipe recipe;
  std::map<int, int> rows, columns;
  int mirrored = 0;
  constexpr int kDraws = 9000;
  for (size_t i = 0; i < kDraws; ++i) {
    const Augmentation a = DrawAugmentation(recipe, 0, i);
    ++rows[a.shift_rows];
    ++columns[a.shift_columns];
    mirrored += a.mirror;
  }
  // 1000 expected of each; 150 is five standard deviations.
  for (int shift = -4; shift <= 4; ++shift) {
    EXPECT_NEAR(rows[shift], 1000, 150) << shift;
    EXPECT_NEAR(columns[shift], 1000, 150) << shift;
  }
  EXPECT_EQ(rows.size(), 9u);
  EXPECT_NEAR(mirrored, kDraws / 2, 240);
}

TEST(Augmentation, CanBeLeftOut) {
  Recipe recipe;
  recipe.augment = false;
  for (size_t i = 0; i < 100; ++i) {
    const Augmentation a = DrawAugmentation(recipe, 0, i);
    EXPECT_TRUE(a.shift_rows == 0 && a.shift_columns == 0 && !a.mirror && a.cutout == 0);
  }
}

TEST(EpochOrder, TakesEveryImageOnceInAnotherOrderEachTime) {
  const Recipe recipe;
  std::vector<uint32_t> order = EpochOrder(recipe, 7, 1000);
  EXPECT_EQ(order, EpochOrder(recipe, 7, 1000));
  EXPECT_NE(order, EpochOrder(recipe, 8, 1000));
  std::ranges::sort(order);
  for (uint32_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
}

TEST(CounterRandom, IsAFunctionOfItsThreeNumbers) {
  CounterRandom random(1, 2, 3);
  const uint64_t first = random.Next();
  EXPECT_NE(first, random.Next());
  EXPECT_EQ(CounterRandom(1, 2, 3).Next(), first);
  std::set<uint64_t> firsts;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (uint64_t purpose = 0; purpose < 10; ++purpose) {
      for (uint64_t index = 0; index < 10; ++index) {
        firsts.insert(CounterRandom(seed, purpose, index).Next());
      }
    }
  }
  EXPECT_EQ(firsts.size(), 1000u);
}

TEST(CounterRandom, StaysInItsBounds) {
  CounterRandom random(1, 2, 3);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(random.Below(3), 3u);
    const double unit = random.Unit();
    EXPECT_TRUE(unit > 0 && unit < 1);
  }
}

}  // namespace
}  // namespace bitplex
