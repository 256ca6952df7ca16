// Every pixel, and every refusal, is the one of OpenCV's imdecode, with which networks' training
// data is commonly read.
#include <gtest/gtest.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "server/image/image_decode.h"
#include "server/image/image_header.h"
#include "tests/unit/picture_files.h"

namespace bitplex {
namespace {

using test::BmpKind;
using test::ExifEntry;
using test::FileBytes;
using test::JpegKind;
using test::MakeBmp;
using test::MakeExif;
using test::MakeJpeg;
using test::MakePng;
using test::Orientation;
using test::PngKind;
using test::WithApp1;

const ImageLimits kLimits{.max_pixels = 200'000};

struct Picture {
  size_t height = 0, width = 0;
  FileBytes rgb;
  bool operator==(const Picture&) const = default;
};
using Verdict = std::optional<Picture>;  // None: refused.

Verdict ByOpenCv(const FileBytes& file) {
  cv::Mat bgr;
  try {
    bgr = cv::imdecode(file, cv::IMREAD_COLOR);
  } catch (const cv::Exception&) {
  }
  if (bgr.empty()) return std::nullopt;
  Picture picture{static_cast<size_t>(bgr.rows), static_cast<size_t>(bgr.cols), {}};
  for (int y = 0; y < bgr.rows; ++y) {
    for (int x = 0; x < bgr.cols; ++x) {
      const auto& pixel = bgr.at<cv::Vec3b>(y, x);
      picture.rgb.insert(picture.rgb.end(), {pixel[2], pixel[1], pixel[0]});
    }
  }
  return picture;
}

// In the size of `expected`, so that nothing is resized.
Verdict ByUs(const FileBytes& file, const Verdict& expected) {
  Picture picture = expected.value_or(Picture{8, 8, {}});
  picture.rgb.assign(picture.height * picture.width * 3, 0);
  const absl::Status status =
      DecodeEncoded(file, picture.height, picture.width, absl::MakeSpan(picture.rgb));
  if (status.ok()) return picture;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::nullopt;
}

struct File {
  std::string name;
  FileBytes bytes;
  bool decodes = true;
};
void PrintTo(const File& file, std::ostream* out) { *out << file.name; }

class OpenCvTest : public ::testing::TestWithParam<File> {};

TEST_P(OpenCvTest, GivesTheSamePixels) {
  const File& file = GetParam();
  ASSERT_TRUE(CheckEncoded(file.bytes, kLimits).ok()) << CheckEncoded(file.bytes, kLimits);
  const Verdict expected = ByOpenCv(file.bytes);
  EXPECT_EQ(expected.has_value(), file.decodes);
  EXPECT_TRUE(ByUs(file.bytes, expected) == expected);
}

std::vector<FileBytes> DamagedCopies(const FileBytes& file, int count) {
  std::minstd_rand random(static_cast<unsigned>(file.size()));
  std::vector<FileBytes> copies;
  for (int i = 0; i < count; ++i) {
    FileBytes copy = file;
    for (size_t flips = 1 + random() % 4; flips > 0; --flips) {
      const size_t range = random() % 2 == 0 ? std::min<size_t>(96, file.size()) : file.size();
      copy[random() % range] = static_cast<uint8_t>(random() >> 8);
    }
    if (random() % 4 == 0) {  // A hole.
      const size_t at = random() % copy.size(), bytes = random() % 8;
      const auto begin = copy.begin() + static_cast<std::ptrdiff_t>(at);
      copy.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(bytes, copy.size() - at)));
    }
    if (CheckEncoded(copy, kLimits).ok()) copies.push_back(std::move(copy));
  }
  return copies;
}

TEST_P(OpenCvTest, AgreesOnDamagedCopiesOfWhichNothingIsPrinted) {
  const std::vector<FileBytes> copies = DamagedCopies(GetParam().bytes, 150);
  std::vector<Verdict> expected;
  ::testing::internal::CaptureStderr();
  for (const FileBytes& copy : copies) expected.push_back(ByOpenCv(copy));
  (void)::testing::internal::GetCapturedStderr();  // It complains of each.
  ::testing::internal::CaptureStderr();
  for (size_t i = 0; i < copies.size(); ++i) {
    EXPECT_TRUE(ByUs(copies[i], expected[i]) == expected[i]) << "copy " << i;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

std::string TestName(const ::testing::TestParamInfo<File>& test) { return test.param.name; }

std::vector<File> Jpegs() {
  std::vector<File> files;
  for (const auto& [height, width] : {std::pair{1, 1}, {7, 9}, {33, 47}}) {
    const std::string size = std::to_string(height) + "x" + std::to_string(width);
    const auto add = [&, h = height, w = width](const std::string& name, const JpegKind& kind) {
      files.push_back({name + size, MakeJpeg(h, w, kind)});
    };
    for (const auto& [h, v] : {std::pair{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {1, 4}, {4, 2}}) {
      const std::string sampling = std::to_string(h) + std::to_string(v);
      add("Baseline" + sampling + "x", {.horizontal = h, .vertical = v});
      add("Progressive" + sampling + "x", {.horizontal = h, .vertical = v, .progressive = true});
    }
    add("Restarts", {.horizontal = 2, .vertical = 2, .restart_rows = 1});
    add("Grey", {.components = 1});
    add("GreyProgressive", {.components = 1, .progressive = true});
    add("Rgb", {.rgb = true});
    add("Cmyk", {.components = 4});
    add("Ycck", {.components = 4, .ycck = true, .horizontal = 2, .vertical = 2});
    add("CmykProgressive", {.components = 4, .progressive = true});
    add("Arithmetic", {.horizontal = 2, .vertical = 2, .arithmetic = true});
    add("LowQuality", {.horizontal = 2, .vertical = 2, .progressive = true, .quality = 3});
  }
  return files;
}
INSTANTIATE_TEST_SUITE_P(Jpeg, OpenCvTest, ::testing::ValuesIn(Jpegs()), TestName);

std::vector<File> Pngs() {
  std::vector<File> files;
  const std::vector<std::pair<int, std::vector<int>>> depths = {
      {0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}};
  for (const auto& [color_type, bit_depths] : depths) {
    for (const int bit_depth : bit_depths) {
      for (const bool interlaced : {false, true}) {
        const std::string name = "Type" + std::to_string(color_type) + "Depth" +
                                 std::to_string(bit_depth) + (interlaced ? "Interlaced" : "");
        PngKind kind{.color_type = color_type, .bit_depth = bit_depth, .interlaced = interlaced};
        files.push_back({name, MakePng(19, 21, kind)});
        if (color_type >= 4) continue;  // Has alpha already.
        kind.transparent = true;
        files.push_back({name + "Transparent", MakePng(19, 21, kind)});
      }
    }
  }
  return files;
}
INSTANTIATE_TEST_SUITE_P(Png, OpenCvTest, ::testing::ValuesIn(Pngs()), TestName);

FileBytes MakeWebp(int channels, int quality) {
  cv::Mat picture(23, 17, CV_8UC(channels));
  cv::randu(picture, 0, 256);
  FileBytes file;
  cv::imencode(".webp", picture, file, {cv::IMWRITE_WEBP_QUALITY, quality});
  return file;
}
INSTANTIATE_TEST_SUITE_P(Webp, OpenCvTest,
                         ::testing::Values(File{"Lossy", MakeWebp(3, 80)},
                                           File{"Lossless", MakeWebp(3, 101)},
                                           File{"LossyAlpha", MakeWebp(4, 80)},
                                           File{"LosslessAlpha", MakeWebp(4, 101)}),
                         TestName);

std::vector<File> Bmps() {
  std::vector<File> files;
  for (const uint32_t header_bytes : {12u, 40u, 56u, 108u, 124u}) {
    for (const int bits : {1, 4, 8, 16, 24, 32}) {
      const std::string name =
          "Header" + std::to_string(header_bytes) + "Bits" + std::to_string(bits);
      const BmpKind kind{.bits = bits, .header_bytes = header_bytes};
      files.push_back({name, MakeBmp(5, 19, kind), header_bytes > 12 || bits != 16});
    }
  }
  for (const int bits : {1, 4, 8}) {
    const std::string name = "Bits" + std::to_string(bits);
    files.push_back({name + "FromTop", MakeBmp(5, 8, {.bits = bits, .from_top = true})});
    files.push_back({name + "Grey", MakeBmp(5, 7, {.bits = bits, .grey_palette = true})});
    files.push_back({name + "OneColour", MakeBmp(5, 9, {.bits = bits, .colours = 1})});
    files.push_back({name + "MoreColours", MakeBmp(5, 9, {.bits = bits, .colours = 256})});
    files.push_back(
        {name + "TooManyColours", MakeBmp(5, 9, {.bits = bits, .colours = 257}), false});
    files.push_back({name + "BitFields", MakeBmp(5, 9, {.bits = bits, .masks = {1}}), false});
  }
  const auto masks = [](int bits, uint32_t red, uint32_t green, uint32_t blue) {
    return MakeBmp(5, 7, {.bits = bits, .masks = {red, green, blue}});
  };
  files.push_back({"Bits565", masks(16, 0xF800, 0x07E0, 0x001F)});
  files.push_back({"Bits555", masks(16, 0x7C00, 0x03E0, 0x001F)});
  files.push_back({"Bits444", masks(16, 0x0F00, 0x00F0, 0x000F), false});
  files.push_back({"Bits24BitFields", masks(24, 0xFF0000, 0xFF00, 0xFF), false});
  files.push_back({"Bits32BitFields", masks(32, 0xFF0000, 0xFF00, 0xFF)});
  files.push_back({"Bits32OtherBitFields", masks(32, 0xFF, 0xFF00, 0xFF0000)});
  files.push_back({"Bits24FromTop", MakeBmp(5, 7, {.bits = 24, .from_top = true})});
  return files;
}
INSTANTIATE_TEST_SUITE_P(Bmp, OpenCvTest, ::testing::ValuesIn(Bmps()), TestName);

// One block of each kind that matters to how OpenCV reads EXIF.
std::vector<std::pair<std::string, std::string>> ExifBlocks() {
  std::vector<std::pair<std::string, std::string>> blocks;
  for (uint32_t i = 0; i <= 9; ++i) {
    blocks.push_back({"Orientation" + std::to_string(i), MakeExif({Orientation(i)})});
  }
  const ExifEntry six = Orientation(6), make{0x010F, 2, 8, 8}, long_make{0x010F, 2, 9999, 8},
                  far_x{0x011A, 5, 1, 0xFFFFFFF0}, white{0x013E, 5, 2, 20},
                  cut_white{0x013E, 5, 2, 60}, primaries{0x013F, 5, 6, 10},
                  unknown{0x9999, 2, 9999, 0xFFFFFFFF}, sub{0x8769, 4, 1, 0xFFFFFFFF};
  blocks.push_back({"LittleEndian", MakeExif({six}, true)});
  blocks.push_back({"BehindOthers", MakeExif({make, white, unknown, sub, six})});
  blocks.push_back({"BehindLongText", MakeExif({long_make, six})});
  blocks.push_back({"BeforeLongText", MakeExif({six, long_make})});
  blocks.push_back({"BehindFarRational", MakeExif({far_x, six})});
  blocks.push_back({"BehindCutRationals", MakeExif({cut_white, six})});
  blocks.push_back({"BehindPrimaries", MakeExif({primaries, sub, unknown, unknown, six})});
  blocks.push_back({"FirstOfTwo", MakeExif({Orientation(3), six})});
  std::string block = MakeExif({six});
  blocks.push_back({"CutShort", block.substr(0, 17)});
  blocks.push_back({"CutBehindTheValue", block.substr(0, 20)});
  block[3] = 43;
  blocks.push_back({"NoMark", block});
  block = MakeExif({six});
  block[4] = '\xFF';
  blocks.push_back({"FarDirectory", block});
  block = MakeExif({six});
  block[0] = '?';
  blocks.push_back({"UnknownByteOrder", block});
  return blocks;
}

std::vector<File> Turned() {
  std::vector<File> files;
  const FileBytes jpeg = MakeJpeg(9, 14, {});
  const std::string name("Exif\0\0", 6);
  for (const auto& [kind, block] : ExifBlocks()) {
    files.push_back({"Jpeg" + kind, WithApp1(jpeg, name + block)});
  }
  const std::string six = MakeExif({Orientation(6)});
  files.push_back({"JpegBehindAnotherApp1",
                   WithApp1(WithApp1(jpeg, name + six), "http://ns.adobe.com/xap/1.0/")});
  files.push_back({"JpegEmptyApp1", WithApp1(WithApp1(jpeg, name + six), "")});
  for (uint32_t i = 1; i <= 8; ++i) {
    const std::string block = MakeExif({Orientation(i)}, i % 2 == 0);
    files.push_back({"PngBefore" + std::to_string(i), MakePng(9, 14, {.exif_before = block})});
    files.push_back({"PngBehind" + std::to_string(i), MakePng(9, 14, {.exif_behind = block})});
  }
  files.push_back(
      {"PngTwo", MakePng(9, 14, {.exif_before = MakeExif({Orientation(3)}), .exif_behind = six})});
  return files;
}
INSTANTIATE_TEST_SUITE_P(Exif, OpenCvTest, ::testing::ValuesIn(Turned()), TestName);

}  // namespace
}  // namespace bitplex
