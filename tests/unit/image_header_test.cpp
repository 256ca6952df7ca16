#include "server/image/image_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitplex {
namespace {

using ::testing::HasSubstr;

// All files are made by hand, and hold no decodable picture: only what the header reader looks at.
std::string Big(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string Little(uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string Raw(const char* text, size_t bytes) { return std::string(text, bytes); }

std::string Segment(int marker, const std::string& body) {
  return "\xFF" + Big(marker, 1) + Big(static_cast<uint32_t>(body.size() + 2), 2) + body;
}
const std::string kSoi = "\xFF\xD8";
const std::string kEoi = "\xFF\xD9";
const std::string kScan =
    Segment(0xDA, Raw("\x01\x01\x00\x00\x3F\x00", 6)) + Raw("\x12\xFF\x00\x34\xFF\xD0\x56", 7);
std::string Sof(int marker, uint32_t height, uint32_t width) {
  return Segment(marker,
                 Raw("\x08", 1) + Big(height, 2) + Big(width, 2) + Raw("\x01\x01\x11\x00", 4));
}
std::string Jpeg(uint32_t height, uint32_t width, int sof = 0xC0) {
  // The thumbnail in APP1 has a frame and an end of its own, which must not be taken for the
  // file's.
  return kSoi + Segment(0xE1, kSoi + Sof(0xC0, 1, 1) + kEoi) + Sof(sof, height, width) +
         Segment(0xC4, "a table") + kScan + kEoi;
}

std::string Chunk(const std::string& type, const std::string& body) {
  return Big(static_cast<uint32_t>(body.size()), 4) + type + body + Raw("\0\0\0\0", 4);
}
const std::string kPngSignature = "\x89PNG\r\n\x1A\n";
std::string Ihdr(uint32_t height, uint32_t width) {
  return Chunk("IHDR", Big(width, 4) + Big(height, 4) + Raw("\x08\x02\0\0\0", 5));
}
std::string Png(uint32_t height, uint32_t width) {
  return kPngSignature + Ihdr(height, width) + Chunk("tEXt", "IEND") + Chunk("IDAT", "pixels") +
         Chunk("IEND", "");
}

std::string RiffChunk(const std::string& type, const std::string& body) {
  return type + Little(static_cast<uint32_t>(body.size()), 4) + body +
         (body.size() % 2 == 0 ? "" : Raw("\0", 1));
}
std::string Riff(const std::string& chunks) {
  return "RIFF" + Little(static_cast<uint32_t>(chunks.size() + 4), 4) + "WEBP" + chunks;
}
std::string Vp8(uint32_t height, uint32_t width) {
  return RiffChunk("VP8 ", Raw("\x10\0\0\x9D\x01\x2A", 6) + Little(width | 1u << 14, 2) +
                               Little(height | 2u << 14, 2) + "data");
}
std::string Vp8l(uint32_t height, uint32_t width) {
  return RiffChunk("VP8L", "\x2F" + Little((width - 1) | (height - 1) << 14, 4) + "data");
}
std::string Vp8x(uint32_t height, uint32_t width, char flags = 0) {
  return RiffChunk("VP8X", flags + Raw("\0\0\0", 3) + Little(width - 1, 3) + Little(height - 1, 3));
}

std::string FileHeader(uint32_t offset) {
  return "BM" + Raw("\0\0\0\0\0\0\0\0", 8) + Little(offset, 4);
}
std::string Bmp(int32_t height, int32_t width, uint32_t bits, uint32_t compression,
                size_t pixel_bytes) {
  return FileHeader(54) + Little(40, 4) + Little(width, 4) + Little(height, 4) + Little(1, 2) +
         Little(bits, 2) + Little(compression, 4) + std::string(20, '\0') +
         std::string(pixel_bytes, 'p');
}
std::string CoreBmp(uint32_t height, uint32_t width, uint32_t bits, size_t pixel_bytes) {
  return FileHeader(26) + Little(12, 4) + Little(width, 2) + Little(height, 2) + Little(1, 2) +
         Little(bits, 2) + std::string(pixel_bytes, 'p');
}

struct Good {
  const char* name;
  std::string bytes;
  ImageFormat format;
  uint32_t height;
  uint32_t width;
};

class GoodHeaderTest : public ::testing::TestWithParam<Good> {};

TEST_P(GoodHeaderTest, IsRead) {
  const auto header = ReadImageHeader(AsBytes(GetParam().bytes));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->format, GetParam().format);
  EXPECT_EQ(header->height, GetParam().height);
  EXPECT_EQ(header->width, GetParam().width);
}

TEST_P(GoodHeaderTest, MayBeFollowedByOtherBytes) {
  EXPECT_TRUE(ReadImageHeader(AsBytes(GetParam().bytes + "trailing")).ok());
}

TEST_P(GoodHeaderTest, IsRefusedWhenCutShortAnywhere) {
  const std::string& bytes = GetParam().bytes;
  for (size_t length = 0; length < bytes.size(); ++length) {
    // A copy of exactly this length, so that a sanitizer sees a read past its end.
    const std::vector<uint8_t> cut(bytes.begin(),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(ReadImageHeader(cut).status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, GoodHeaderTest,
    ::testing::Values(
        Good{"BaselineJpeg", Jpeg(20, 30), ImageFormat::kJpeg, 20, 30},
        Good{"ProgressiveJpeg", Jpeg(65500, 3, 0xC2), ImageFormat::kJpeg, 65500, 3},
        Good{"JpegOfTwoScans", kSoi + Sof(0xC2, 4, 5) + kScan + Segment(0xC4, kEoi) + kScan + kEoi,
             ImageFormat::kJpeg, 4, 5},
        Good{"JpegWithFillAndStrayBytes",
             kSoi + "\xFF\xFF" + Sof(0xC0, 4, 5) + "stray" + kScan + "\xFF\xFF" + kEoi,
             ImageFormat::kJpeg, 4, 5},
        Good{"Png", Png(17, 1'000'000), ImageFormat::kPng, 17, 1'000'000},
        Good{"WebpLossy", Riff(Vp8(100, 16383)), ImageFormat::kWebp, 100, 16383},
        Good{"WebpLossless", Riff(Vp8l(1, 16384)), ImageFormat::kWebp, 1, 16384},
        Good{"WebpExtended", Riff(Vp8x(5, 6) + RiffChunk("ALPH", "odd") + Vp8(5, 6)),
             ImageFormat::kWebp, 5, 6},
        Good{"Bmp24", Bmp(2, 3, 24, 0, 2 * 12), ImageFormat::kBmp, 2, 3},
        Good{"BmpFromTheTop", Bmp(-2, 3, 32, 3, 2 * 12), ImageFormat::kBmp, 2, 3},
        Good{"Bmp1", Bmp(2, 33, 1, 0, 2 * 8), ImageFormat::kBmp, 2, 33},
        Good{"BmpCore", CoreBmp(2, 5, 24, 2 * 16), ImageFormat::kBmp, 2, 5}),
    [](const auto& test) { return test.param.name; });

struct Bad {
  const char* name;
  std::string bytes;
  const char* message;
};

class BadHeaderTest : public ::testing::TestWithParam<Bad> {};

TEST_P(BadHeaderTest, IsRefusedAndTheFaultNamed) {
  const auto header = ReadImageHeader(AsBytes(GetParam().bytes));
  EXPECT_EQ(header.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(header.status().message()), HasSubstr(GetParam().message));
}

std::string ManyScans(int count) {
  std::string bytes = kSoi + Sof(0xC2, 4, 5);
  for (int i = 0; i < count; ++i) bytes += kScan;
  return bytes + kEoi;
}

INSTANTIATE_TEST_SUITE_P(
    Formats, BadHeaderTest,
    ::testing::Values(Bad{"Empty", "", "is empty"},                                       //
                      Bad{"Text", "hello", "unknown format"},                             //
                      Bad{"Gif", "GIF89a......", "is GIF; send JPEG, PNG, WebP or BMP"},  //
                      Bad{"Tiff", Raw("II*\0....", 8), "is TIFF"},                        //
                      Bad{"TiffBigEndian", Raw("MM\0*....", 8), "is TIFF"},               //
                      Bad{"Avif",
                          Raw("\0\0\0\x1C"
                              "ftypavif",
                              12),
                          "is AVIF"},  //
                      Bad{"Heic",
                          Raw("\0\0\0\x1C"
                              "ftypheic",
                              12),
                          "is HEIC"},  //
                      Bad{"Mp4",
                          Raw("\0\0\0\x1C"
                              "ftypisom",
                              12),
                          "unknown format"},  //
                      Bad{"RiffButNotWebp", "RIFF....WAVEfmt ", "unknown format"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Jpeg, BadHeaderTest,
    ::testing::Values(
        Bad{"NoHeight", Jpeg(0, 30), "states 30 x 0 pixels"},
        Bad{"NoWidth", Jpeg(20, 0), "states 0 x 20 pixels"},
        Bad{"NoEnd", kSoi + Sof(0xC0, 2, 2) + kScan, "end marker (EOI) is missing"},
        Bad{"NoFrame", kSoi + Segment(0xE0, "JFIF") + kEoi, "before any picture data"},
        Bad{"NoScan", kSoi + Sof(0xC0, 2, 2) + kEoi, "before any picture data"},
        Bad{"ScanBeforeFrame", kSoi + kScan + Sof(0xC0, 2, 2) + kEoi, "before the frame header"},
        Bad{"TwoFrames", kSoi + Sof(0xC0, 2, 2) + Sof(0xC0, 9, 9) + kScan + kEoi,
            "second frame header"},
        Bad{"TwoStarts", kSoi + kSoi + Sof(0xC0, 2, 2) + kScan + kEoi, "second start of image"},
        Bad{"ShortFrame", kSoi + Segment(0xC0, "\x08") + kScan + kEoi, "fewer than 8 bytes"},
        Bad{"ShortSegment", kSoi + Raw("\xFF\xE0\0\x01", 4) + Sof(0xC0, 2, 2) + kScan + kEoi,
            "shorter than its own length"},
        Bad{"SegmentPastTheEnd", kSoi + Raw("\xFF\xE0\xFF\xFF", 4) + kEoi, "rest of a segment"},
        Bad{"TooManyScans", ManyScans(65), "more than 64 scans"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Png, BadHeaderTest,
    ::testing::Values(
        Bad{"NoHeight", Png(0, 3), "states 3 x 0 pixels"},
        Bad{"HugeSide", Png(1, 0x80000000u), "more than 2^31 - 1"},
        Bad{"NoIhdr", kPngSignature + Chunk("tEXt", std::string(13, ' ')) + Chunk("IEND", ""),
            "no header chunk"},
        Bad{"ShortIhdr", kPngSignature + Chunk("IHDR", std::string(12, ' ')) + Chunk("IEND", ""),
            "no header chunk"},
        Bad{"TwoIhdr", kPngSignature + Ihdr(2, 2) + Ihdr(9, 9) + Chunk("IEND", ""),
            "second header chunk"},
        Bad{"NoData", kPngSignature + Ihdr(2, 2) + Chunk("IEND", ""), "before any picture data"},
        Bad{"NoEnd", kPngSignature + Ihdr(2, 2) + Chunk("IDAT", "x"), "last chunk (IEND)"},
        Bad{"ChunkPastTheEnd", kPngSignature + Ihdr(2, 2) + Big(0xFFFFFFFF, 4) + "IDAT12345678",
            "rest of a chunk"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Webp, BadHeaderTest,
    ::testing::Values(
        Bad{"NoHeight", Riff(Vp8(0, 3)), "states 3 x 0 pixels"},
        Bad{"RiffPastTheEnd", "RIFF" + Little(0xFFFFFFFF, 4) + "WEBP" + Vp8(2, 2),
            "that RIFF states"},
        Bad{"RiffWithoutChunks", Riff("") + Vp8(2, 2), "its picture chunk"},
        Bad{"ChunkPastRiff", Riff("VP8 " + Little(0xFFFFFFF0, 4) + std::string(16, ' ')),
            "rest of a chunk"},
        Bad{"UnknownChunkFirst", Riff(RiffChunk("ICCP", "") + Vp8(2, 2)), "at its place"},
        Bad{"NoKeyFrame", Riff(RiffChunk("VP8 ", Raw("\x11\0\0\x9D\x01\x2A\x02\0\x02\0", 10))),
            "no key frame"},
        Bad{"NoStartCode", Riff(RiffChunk("VP8 ", std::string(10, '\0'))), "start code"},
        Bad{"ShortVp8", Riff(RiffChunk("VP8 ", std::string(8, '\0'))), "fewer than 10"},
        Bad{"ShortVp8l", Riff(RiffChunk("VP8L", "\x2F..")), "fewer than 5"},
        Bad{"NoVp8lSignature", Riff(RiffChunk("VP8L", "......")), "VP8L signature"},
        Bad{"ShortVp8x", Riff(RiffChunk("VP8X", "....") + Vp8(2, 2)), "fewer than 10"},
        Bad{"CanvasOfAnotherSize", Riff(Vp8x(2, 2) + Vp8(200, 200)), "its canvas's size"},
        Bad{"ExtendedWithoutPicture", Riff(Vp8x(2, 2) + RiffChunk("EXIF", "")), "picture chunk"},
        Bad{"Animated", Riff(Vp8x(2, 2, 0x02) + RiffChunk("ANIM", "123456")), "animated"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Bmp, BadHeaderTest,
    ::testing::Values(
        Bad{"NoHeight", Bmp(0, 3, 24, 0, 100), "states 3 x 0 pixels"},
        Bad{"NoWidth", Bmp(3, 0, 24, 0, 100), "states 0 x 3 pixels"},
        Bad{"NegativeWidth", Bmp(3, -3, 24, 0, 100), "negative width"},
        Bad{"LowestHeight", Bmp(INT32_MIN, 3, 24, 0, 100), "part of its pixels"},
        Bad{"LyingSize", Bmp(60000, 60000, 24, 0, 100), "part of its pixels"},
        Bad{"LargestSize", Bmp(INT32_MAX, INT32_MAX, 32, 0, 100), "part of its pixels"},
        Bad{"OnePixelShort", Bmp(2, 3, 24, 0, 23), "part of its pixels"},
        Bad{"PixelsPastTheEnd", FileHeader(0xFFFFFFFF) + Bmp(1, 1, 24, 0, 4).substr(14),
            "part of its pixels"},
        Bad{"RunLength", Bmp(2, 3, 8, 1, 100), "compressed (kind 1)"},
        Bad{"OddDepth", Bmp(2, 3, 23, 0, 100), "23 bits a pixel"},
        Bad{"NoDepth", Bmp(2, 3, 0, 0, 100), "0 bits a pixel"},
        Bad{"HeaderOf20", FileHeader(54) + Little(20, 4) + std::string(100, 'x'),
            "neither 12 nor 40"},
        Bad{"HeaderPastTheEnd", FileHeader(54) + Little(0xFFFFFFFF, 4) + std::string(100, 'x'),
            "rest of its header"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
