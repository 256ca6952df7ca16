#include "server/serving/image_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "server/image/normalize.h"

namespace bitplex {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

Architecture TwoByThree() {
  Architecture arch{};
  arch.input_height = 2;
  arch.input_width = 3;
  arch.input_channels = 3;
  return arch;
}

TaskInfo Task() {
  TaskInfo task;
  task.mean = {0.5f, 0.25f, 0.125f};
  task.std = {0.25f, 0.5f, 1.0f};
  return task;
}

absl::StatusOr<std::vector<float>> Read(const ImageRef& image) {
  std::vector<uint8_t> rgb(18);
  std::vector<float> out(18, -7);
  const absl::Status status =
      ReadImage(image, TwoByThree(), Task(), absl::MakeSpan(rgb), absl::MakeSpan(out));
  if (!status.ok()) return status;
  return out;
}

TEST(ImageInput, RawPixelsAreNormalized) {
  std::vector<uint8_t> pixels(18);
  std::iota(pixels.begin(), pixels.end(), uint8_t{100});
  const ImageRef image{.encoded = false, .bytes = pixels, .height = 2, .width = 3};
  EXPECT_TRUE(CheckImage(image, TwoByThree(), {}).ok());
  std::vector<float> expected(18);
  NormalizeRgb8(pixels, Task().mean, Task().std, absl::MakeSpan(expected));
  const auto read = Read(image);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, ElementsAreArray(expected));
}

TEST(ImageInput, NormalizedValuesAreTakenAsTheyAre) {
  std::vector<float> values(18);
  std::iota(values.begin(), values.end(), -9.5f);
  const ImageRef image{.normalized = values};
  EXPECT_TRUE(CheckImage(image, TwoByThree(), {}).ok());
  const auto read = Read(image);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, ElementsAreArray(values));
}

class WrongCounts : public ::testing::TestWithParam<size_t> {};

TEST_P(WrongCounts, OfNormalizedValuesAreRefused) {
  const std::vector<float> values(GetParam());
  const ImageRef image{.normalized = values};
  for (const absl::Status& status : {CheckImage(image, TwoByThree(), {}), Read(image).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("exactly 18 (2 x 3 x 3)"));
  }
}

INSTANTIATE_TEST_SUITE_P(Around18, WrongCounts, ::testing::Values(1, 17, 19, 36),
                         ::testing::PrintToStringParamName());

TEST(ImageInput, WithoutValuesTheRestCounts) {
  const absl::Status status = CheckImage({.encoded = true}, TwoByThree(), {});
  EXPECT_THAT(std::string(status.message()), HasSubstr("empty"));
}

}  // namespace
}  // namespace bitplex
