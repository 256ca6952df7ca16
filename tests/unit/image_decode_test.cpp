#include "server/image/image_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>
#include <vector>

#include "server/image/image_header.h"
#include "server/image/normalize.h"

namespace bitplex {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

Bytes Noise(size_t count, unsigned seed = 1) {
  std::minstd_rand random(seed);
  Bytes bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() >> 8);
  return bytes;
}

// An RGB picture as a file. WebP is lossless above quality 100.
Bytes Encode(const std::string& extension, const Bytes& rgb, int height, int width,
             const std::vector<int>& options = {}) {
  cv::Mat picture(height, width, CV_8UC3, const_cast<uint8_t*>(rgb.data()));
  cv::Mat bgr;
  cv::cvtColor(picture, bgr, cv::COLOR_RGB2BGR);
  Bytes file;
  EXPECT_TRUE(cv::imencode(extension, bgr, file, options));
  return file;
}
Bytes EncodeLossless(const std::string& extension, const Bytes& rgb, int height, int width) {
  std::vector<int> options;
  if (extension == ".webp") options = {cv::IMWRITE_WEBP_QUALITY, 101};
  return Encode(extension, rgb, height, width, options);
}

// Decodes what must pass both checks.
Bytes Decoded(const Bytes& file, size_t height, size_t width) {
  EXPECT_TRUE(CheckEncoded(file, {}).ok()) << CheckEncoded(file, {});
  Bytes rgb(height * width * 3);
  const absl::Status status = DecodeEncoded(file, height, width, absl::MakeSpan(rgb));
  EXPECT_TRUE(status.ok()) << status;
  return rgb;
}
Bytes Resized(const Bytes& rgb, size_t from_height, size_t from_width, size_t height,
              size_t width) {
  Bytes out(height * width * 3);
  const absl::Status status =
      ResizeRaw(from_height, from_width, rgb, height, width, absl::MakeSpan(out));
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

int LargestDifference(const Bytes& a, const Bytes& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// The mean over the area that each target pixel covers, by the definition.
Bytes AreaAverage(const Bytes& rgb, size_t from_height, size_t from_width, size_t height,
                  size_t width) {
  const auto overlap = [](size_t from, size_t to, size_t target, size_t source) {
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const double begin = static_cast<double>(target) * scale, end = begin + scale;
    const double at = static_cast<double>(source);
    return std::max(0.0, std::min(end, at + 1) - std::max(begin, at)) / scale;
  };
  Bytes out;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (size_t v = 0; v < from_height; ++v) {
          const double row = overlap(from_height, height, y, v);
          if (row == 0) continue;
          for (size_t u = 0; u < from_width; ++u) {
            sum += row * overlap(from_width, width, x, u) * rgb[(v * from_width + u) * 3 + c];
          }
        }
        out.push_back(static_cast<uint8_t>(std::lround(sum)));
      }
    }
  }
  return out;
}

class EveryFormatTest : public ::testing::TestWithParam<const char*> {
 protected:
  Bytes File(int height, int width) const {
    return EncodeLossless(GetParam(), Noise(static_cast<size_t>(height) * width * 3), height,
                          width);
  }
};

TEST_P(EveryFormatTest, HeaderStatesTheSize) {
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 50}, {50, 3}, {240, 321}}) {
    const auto header = ReadImageHeader(File(height, width));
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->height, static_cast<uint32_t>(height));
    EXPECT_EQ(header->width, static_cast<uint32_t>(width));
  }
}

TEST_P(EveryFormatTest, IsRefusedWhenCutShortAnywhere) {
  const Bytes file = File(9, 7);
  Bytes rgb(8 * 8 * 3);
  for (size_t length = 0; length < file.size(); ++length) {
    const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(CheckEncoded(cut, {}).code(), absl::StatusCode::kInvalidArgument) << length;
    EXPECT_EQ(DecodeEncoded(cut, 8, 8, absl::MakeSpan(rgb)).code(),
              absl::StatusCode::kInvalidArgument)
        << length;
  }
}

TEST_P(EveryFormatTest, DamageIsAnsweredOrDecodedButNeverFatal) {
  const Bytes file = File(9, 7);
  std::minstd_rand random(7);
  Bytes rgb(8 * 8 * 3);
  for (int round = 0; round < 1500; ++round) {
    Bytes damaged = file;
    for (size_t flips = 1 + random() % 3; flips > 0; --flips) {
      // Half of the damage falls on the first bytes, where the structure is.
      const size_t range = random() % 2 == 0 ? std::min<size_t>(64, file.size()) : file.size();
      damaged[random() % range] = static_cast<uint8_t>(random() >> 8);
    }
    if (!CheckEncoded(damaged, {.max_pixels = 100'000}).ok()) continue;
    const absl::Status status = DecodeEncoded(damaged, 8, 8, absl::MakeSpan(rgb));
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormatTest,
                         ::testing::Values(".jpg", ".png", ".webp", ".bmp"),
                         [](const auto& test) { return std::string(test.param).substr(1); });

class LosslessFormatTest : public ::testing::TestWithParam<const char*> {};

TEST_P(LosslessFormatTest, PixelsPassThroughUntouchedWhenTheSizeFits) {
  for (const auto& [height, width] : {std::pair{1, 1}, {32, 32}, {5, 37}, {64, 3}}) {
    const Bytes rgb = Noise(static_cast<size_t>(height) * width * 3);
    EXPECT_EQ(Decoded(EncodeLossless(GetParam(), rgb, height, width), height, width), rgb);
  }
}

TEST_P(LosslessFormatTest, LargerPicturesAreAveraged) {
  const Bytes rgb = Noise(240 * 320 * 3);
  const Bytes small = Decoded(EncodeLossless(GetParam(), rgb, 240, 320), 32, 32);
  EXPECT_LE(LargestDifference(small, AreaAverage(rgb, 240, 320, 32, 32)), 1);
}

INSTANTIATE_TEST_SUITE_P(Formats, LosslessFormatTest, ::testing::Values(".png", ".webp", ".bmp"),
                         [](const auto& test) { return std::string(test.param).substr(1); });

struct Shape {
  size_t from_height, from_width, height, width;
};
class AverageTest : public ::testing::TestWithParam<Shape> {};

TEST_P(AverageTest, IsTheMeanOfTheCoveredArea) {
  const auto [from_height, from_width, height, width] = GetParam();
  const Bytes rgb = Noise(from_height * from_width * 3);
  EXPECT_LE(LargestDifference(Resized(rgb, from_height, from_width, height, width),
                              AreaAverage(rgb, from_height, from_width, height, width)),
            1);
}

INSTANTIATE_TEST_SUITE_P(Shapes, AverageTest,
                         ::testing::Values(Shape{48, 64, 32, 32}, Shape{64, 64, 32, 32},
                                           Shape{240, 320, 32, 32}, Shape{33, 33, 32, 32},
                                           Shape{32, 1000, 32, 32}, Shape{1000, 32, 32, 32},
                                           Shape{97, 32, 31, 7}, Shape{100, 90, 75, 80}));

TEST(ResizeTest, AFlatWidePictureIsAveragedAlongOneAxisAndStretchedAlongTheOther) {
  // 2 rows of 320 noisy pixels to 4 x 32: every target row is a blend of two averaged rows.
  const Bytes rgb = Noise(2 * 320 * 3);
  const Bytes averaged = AreaAverage(rgb, 2, 320, 2, 32);
  const Bytes out = Resized(rgb, 2, 320, 4, 32);
  const double weight_of_second_row[] = {0, 0.25, 0.75, 1};
  for (size_t y = 0; y < 4; ++y) {
    for (size_t i = 0; i < 32 * 3; ++i) {
      const double second = weight_of_second_row[y];
      const double expected = averaged[i] * (1 - second) + averaged[32 * 3 + i] * second;
      ASSERT_NEAR(out[y * 32 * 3 + i], expected, 1.6)
          << y << ' ' << i;  // Two roundings and one count.
    }
  }
}

TEST(ResizeTest, GrowingIsBilinear) {
  const Bytes two_pixels = {0, 100, 200, 200, 100, 0};
  EXPECT_EQ(Resized(two_pixels, 1, 2, 1, 4),
            (Bytes{0, 100, 200, 50, 100, 150, 150, 100, 50, 200, 100, 0}));
}

TEST(ResizeTest, OnePixelFillsAnySize) {
  const Bytes out = Resized({7, 7, 7}, 1, 1, 32, 48);
  EXPECT_THAT(out, Each(7));
}

TEST(ResizeTest, TheLongestSidesWork) {
  EXPECT_THAT(Resized(Bytes(kMaxImageSide * 3, 9), 1, kMaxImageSide, 32, 32), Each(9));
  EXPECT_THAT(Resized(Bytes(kMaxImageSide * 3, 9), kMaxImageSide, 1, 32, 32), Each(9));
}

TEST(ResizeTest, TheSameSizePassesThroughUntouched) {
  const Bytes rgb = Noise(32 * 32 * 3);
  EXPECT_EQ(Resized(rgb, 32, 32, 32, 32), rgb);
}

TEST(ResizeTest, WrongBufferSizesAreRefused) {
  Bytes out(32 * 32 * 3 - 1);
  EXPECT_EQ(ResizeRaw(1, 1, Bytes(3), 32, 32, absl::MakeSpan(out)).code(),
            absl::StatusCode::kInternal);
  out.resize(32 * 32 * 3);
  EXPECT_EQ(ResizeRaw(2, 2, Bytes(11), 32, 32, absl::MakeSpan(out)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeEncoded(Bytes(3), 0, 0, {}).code(), absl::StatusCode::kInternal);
}

TEST(DecodeTest, JpegComesCloseAtFullQuality) {
  Bytes rgb;
  for (int i = 0; i < 32 * 32; ++i) {
    for (const int value : {i % 32 * 8, i / 32 * 8, 128})
      rgb.push_back(static_cast<uint8_t>(value));
  }
  for (const int progressive : {0, 1}) {
    const Bytes file =
        Encode(".jpg", rgb, 32, 32,
               {cv::IMWRITE_JPEG_QUALITY, 100, cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
    EXPECT_LE(LargestDifference(Decoded(file, 32, 32), rgb), 16);
  }
}

TEST(DecodeTest, ExifOrientationIsApplied) {
  const Bytes rgb = Noise(16 * 8 * 3);
  const Bytes file = Encode(".jpg", rgb, 16, 8);
  const Bytes upright = Decoded(file, 16, 8);
  const Bytes orientation_6 = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,    'M', 'M',
                               0,    42,   0, 0,  0,   8,   0,   1,   1, 0x12, 0,   3,
                               0,    0,    0, 1,  0,   6,   0,   0,   0, 0,    0,   0};
  Bytes turned = file;
  turned.insert(turned.begin() + 2, orientation_6.begin(), orientation_6.end());
  EXPECT_EQ(ReadImageHeader(turned)->height, 16u) << "the header's size is the stored one";
  Bytes expected;  // Turned right: row y of the result is column y, from the bottom up.
  for (size_t y = 0; y < 8; ++y) {
    for (size_t x = 0; x < 16; ++x) {
      for (size_t c = 0; c < 3; ++c) expected.push_back(upright[((15 - x) * 8 + y) * 3 + c]);
    }
  }
  EXPECT_EQ(Decoded(turned, 8, 16), expected);
}

TEST(DecodeTest, GreyBecomesRgb) {
  const cv::Mat grey(4, 4, CV_8UC1, cv::Scalar(77));
  for (const char* extension : {".png", ".bmp", ".jpg"}) {
    Bytes file;
    ASSERT_TRUE(cv::imencode(extension, grey, file));
    EXPECT_THAT(Decoded(file, 4, 4), Each(77)) << extension;
  }
}

TEST(DecodeTest, AlphaIsDroppedAndNotBlended) {
  const cv::Mat transparent(4, 4, CV_8UC4, cv::Scalar(30, 20, 10, 0));  // B, G, R, A.
  Bytes file;
  ASSERT_TRUE(cv::imencode(".png", transparent, file));
  const Bytes rgb = Decoded(file, 1, 1);
  EXPECT_EQ(rgb, (Bytes{10, 20, 30}));
}

TEST(DecodeTest, SixteenBitChannelsKeepTheirHighByte) {
  const cv::Mat deep(4, 4, CV_16UC3, cv::Scalar(0x1234, 0x5678, 0x9AFF));
  Bytes file;
  ASSERT_TRUE(cv::imencode(".png", deep, file));
  EXPECT_EQ(Decoded(file, 1, 1), (Bytes{0x9A, 0x56, 0x12}));
}

TEST(DecodeTest, BmpFromTheTopAndWithTheOldHeader) {
  const Bytes blue_then_red = {0xFF, 0, 0, 0, 0, 0, 0xFF, 0};  // Two rows of one BGR pixel, padded.
  Bytes modern = {'B', 'M', 0, 0, 0, 0, 0, 0,    0,    0,    54,   0, 0, 0,  40,
                  0,   0,   0, 1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 1, 0, 24, 0};
  modern.resize(54);
  modern.insert(modern.end(), blue_then_red.begin(), blue_then_red.end());
  EXPECT_EQ(Decoded(modern, 2, 1), (Bytes{0, 0, 255, 255, 0, 0}));

  Bytes core = {'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0, 26, 0,  0,
                0,   12,  0, 0, 0, 1, 0, 2, 0, 1, 0,  24, 0};
  core.insert(core.end(), blue_then_red.begin(), blue_then_red.end());
  EXPECT_EQ(Decoded(core, 2, 1), (Bytes{255, 0, 0, 0, 0, 255})) << "rows run from the bottom";
}

TEST(DecodeTest, ExtendedWebpIsDecoded) {
  const Bytes rgb = Noise(6 * 5 * 3);
  const Bytes simple = EncodeLossless(".webp", rgb, 6, 5);
  Bytes extended(simple.begin(), simple.begin() + 12);
  extended.insert(extended.end(), {'V', 'P', '8', 'X', 10, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 5, 0, 0});
  extended.insert(extended.end(), simple.begin() + 12, simple.end());
  extended[4] = static_cast<uint8_t>(extended.size() - 8);
  extended[5] = static_cast<uint8_t>((extended.size() - 8) >> 8);
  EXPECT_EQ(Decoded(extended, 6, 5), rgb);
}

TEST(DecodeTest, APngWithDamagedPixelsIsRefused) {
  Bytes file = EncodeLossless(".png", Noise(32 * 32 * 3), 32, 32);
  file[file.size() / 2] ^= 0x55;
  EXPECT_TRUE(CheckEncoded(file, {}).ok()) << "only decoding can tell";
  Bytes rgb(32 * 32 * 3);
  const absl::Status status = DecodeEncoded(file, 32, 32, absl::MakeSpan(rgb));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("PNG image (32 x 32) is corrupted"));
}

TEST(CheckEncodedTest, LyingDimensionsAreRefusedBeforeDecoding) {
  Bytes png = EncodeLossless(".png", Noise(12), 2, 2);
  const Bytes side = {0, 0, 0xEA, 0x60};  // 60000.
  std::copy(side.begin(), side.end(), png.begin() + 16);
  std::copy(side.begin(), side.end(), png.begin() + 20);
  const absl::Status status = CheckEncoded(png, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("60000 x 60000 pixels; the limit is 50000000"));

  Bytes bmp = EncodeLossless(".bmp", Noise(12), 2, 2);
  const Bytes little_side = {0x60, 0xEA, 0, 0};
  std::copy(little_side.begin(), little_side.end(), bmp.begin() + 18);
  std::copy(little_side.begin(), little_side.end(), bmp.begin() + 22);
  EXPECT_THAT(std::string(CheckEncoded(bmp, {}).message()), HasSubstr("part of its pixels"));
}

TEST(CheckEncodedTest, LimitsAreExact) {
  const Bytes file = EncodeLossless(".png", Noise(10 * 10 * 3), 10, 10);
  EXPECT_TRUE(CheckEncoded(file, {.max_pixels = 100}).ok());
  EXPECT_THAT(std::string(CheckEncoded(file, {.max_pixels = 99}).message()),
              HasSubstr("10 x 10 pixels; the limit is 99"));
  EXPECT_TRUE(CheckEncoded(file, {.max_encoded_bytes = file.size()}).ok());
  EXPECT_THAT(std::string(CheckEncoded(file, {.max_encoded_bytes = file.size() - 1}).message()),
              HasSubstr("bytes; the limit is"));
}

TEST(CheckRawTest, CountsExactlyAndWithoutOverflow) {
  EXPECT_TRUE(CheckRaw(2, 3, 18, {}).ok());
  EXPECT_TRUE(CheckRaw(10, 10, 300, {.max_pixels = 100}).ok());
  const size_t huge = SIZE_MAX, half = size_t{1} << 32;
  for (const auto& [height, width, bytes] : {std::tuple<size_t, size_t, size_t>{2, 3, 17},
                                             {2, 3, 19},
                                             {2, 3, 0},
                                             {0, 3, 0},
                                             {2, 0, 0},
                                             {half, half, 0},
                                             {huge, huge, 3},
                                             {huge, 1, huge * 3},
                                             {1, kMaxImageSide + 1, 65'536 * 3},
                                             {10'000, 5'001, 150'030'000}}) {
    EXPECT_EQ(CheckRaw(height, width, bytes, {}).code(), absl::StatusCode::kInvalidArgument)
        << height << " x " << width << ", " << bytes << " bytes";
  }
}

TEST(NormalizeTest, EveryValueIsThreeFloatOperationsInOrder) {
  const std::array<float, 3> mean = {0.4914f, 0.4822f, 0.4465f}, std = {0.2470f, 0.2435f, 0.2616f};
  Bytes rgb;
  for (size_t i = 0; i < 768; ++i) rgb.push_back(static_cast<uint8_t>(i / 3));
  std::vector<float> out(768);
  NormalizeRgb8(rgb, mean, std, absl::MakeSpan(out));
  for (size_t i = 0; i < 768; ++i) {
    volatile float value = static_cast<float>(rgb[i]) / 255.0f;  // Rounds after every operation.
    value = value - mean[i % 3];
    value = value / std[i % 3];
    ASSERT_EQ(out[i], value) << i;
  }
  // Computed once with PyTorch's order of operations.
  EXPECT_FLOAT_EQ(out[0], -1.9894737f);
  EXPECT_FLOAT_EQ(out[767], 2.1158257f);
}

}  // namespace
}  // namespace bitplex
