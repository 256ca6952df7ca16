// Every form that a picture may have in a ModelInfer request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "server/service/oip/image_shape.h"
#include "server/service/oip/infer_images.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::oip {
namespace {

using test::AddImage;
using test::InferRequest;
using test::RawBytes;
using test::RawTensorRequest;
using test::WithLength;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// For a network whose input is 2 high and 4 wide.
absl::StatusOr<InferImages> Read(const InferRequest& request) {
  Architecture arch{};
  arch.input_height = 2;
  arch.input_width = 4;
  arch.input_channels = 3;
  return ReadInferImages(request, arch);
}

template <typename T>
std::vector<T> Counting(size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

const std::vector<uint8_t> kPixels = Counting<uint8_t>(36);  // 2 x 2 x 3 x 3.

void ExpectPixels(const absl::StatusOr<InferImages>& read) {
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->images.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const ImageRef& image = read->images[i];
    EXPECT_FALSE(image.encoded);
    EXPECT_EQ(image.height, 2u);
    EXPECT_EQ(image.width, 3u);
    EXPECT_TRUE(image.normalized.empty());
    EXPECT_THAT(image.bytes, ElementsAreArray(absl::MakeSpan(kPixels).subspan(i * 18, 18)));
  }
}

TEST(Pixels, RawRowsOfPixelsAreNotCopied) {
  const InferRequest request = RawTensorRequest("UINT8", {2, 2, 3, 3}, kPixels);
  const auto read = Read(request);
  ExpectPixels(read);
  EXPECT_EQ(static_cast<const void*>(read->images[0].bytes.data()),
            request.raw_input_contents(0).data());
}

TEST(Pixels, RawPlanesBecomeRowsOfPixels) {
  // 3 wide, so that the last axis is not 3: [2, 3, 3, 2] is 3 high and 2 wide.
  std::vector<uint8_t> pixels = Counting<uint8_t>(36);
  const InferRequest request = RawTensorRequest("UINT8", {2, 3, 3, 2}, test::Planar(pixels, 6));
  const auto read = Read(request);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->images.size(), 2u);
  EXPECT_EQ(read->images[0].height, 3u);
  EXPECT_EQ(read->images[0].width, 2u);
  EXPECT_THAT(read->images[1].bytes, ElementsAreArray(absl::MakeSpan(pixels).subspan(18, 18)));
}

TEST(Pixels, WithThreeInBothPlacesTheChannelsAreLast) {
  const InferRequest request = RawTensorRequest("UINT8", {1, 3, 2, 3}, Counting<uint8_t>(18));
  const auto read = Read(request);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->images[0].height, 3u);
  EXPECT_EQ(read->images[0].width, 2u);
  EXPECT_THAT(read->images[0].bytes, ElementsAreArray(Counting<uint8_t>(18)));
}

TEST(Pixels, TypedContents) {
  InferRequest request;
  auto& contents = *AddImage(request, "UINT8", {2, 2, 3, 3}).mutable_contents();
  contents.mutable_uint_contents()->Add(kPixels.begin(), kPixels.end());
  ExpectPixels(Read(request));
}

TEST(Pixels, AMovedResultStillPointsToItsOwn) {
  InferRequest request;
  auto& contents = *AddImage(request, "UINT8", {2, 2, 3, 3}).mutable_contents();
  contents.mutable_uint_contents()->Add(kPixels.begin(), kPixels.end());
  absl::StatusOr<InferImages> read = Read(request);
  ASSERT_TRUE(read.ok());
  ExpectPixels(absl::StatusOr<InferImages>(*std::move(read)));
}

TEST(Normalized, RawAndTypedInBothLayouts) {
  const std::vector<float> values = Counting<float>(48);
  const std::vector<float> planar = test::Planar(values, 8);
  std::vector<InferRequest> requests = {RawTensorRequest("FP32", {2, 2, 4, 3}, values),
                                        RawTensorRequest("FP32", {2, 3, 2, 4}, planar)};
  InferRequest typed;
  auto& contents = *AddImage(typed, "FP32", {2, 3, 2, 4}).mutable_contents();
  contents.mutable_fp32_contents()->Add(planar.begin(), planar.end());
  requests.push_back(typed);
  for (const InferRequest& request : requests) {
    const auto read = Read(request);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->images.size(), 2u);
    EXPECT_THAT(read->images[0].normalized,
                ElementsAreArray(absl::MakeSpan(values).subspan(0, 24)));
    EXPECT_THAT(read->images[1].normalized,
                ElementsAreArray(absl::MakeSpan(values).subspan(24, 24)));
  }
}

TEST(Files, RawAndTyped) {
  InferRequest raw;
  AddImage(raw, "BYTES", {3, 1});
  raw.add_raw_input_contents(WithLength("one") + WithLength("") + WithLength("three"));
  InferRequest typed;
  auto& contents = *AddImage(typed, "BYTES", {3}).mutable_contents();
  for (const char* text : {"one", "", "three"}) contents.add_bytes_contents(text);
  for (const InferRequest* request : {&raw, &typed}) {
    const auto read = Read(*request);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->images.size(), 3u);
    EXPECT_TRUE(read->images[0].encoded);
    EXPECT_THAT(read->images[0].bytes, ElementsAre('o', 'n', 'e'));
    EXPECT_TRUE(read->images[1].bytes.empty());
    EXPECT_EQ(read->images[2].bytes.size(), 5u);
  }
}

TEST(Counts, UpToTheLimit) {
  const auto count = static_cast<int64_t>(kMaxInferImages);
  EXPECT_TRUE(
      Read(RawTensorRequest("UINT8", {count, 1, 1, 3}, std::vector<uint8_t>(kMaxInferImages * 3)))
          .ok());
}

}  // namespace
}  // namespace bitplex::oip
