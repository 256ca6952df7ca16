// Every form that a picture may have in a ModelInfer request, and every way for it to be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
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
using ::testing::HasSubstr;

// A network whose input is 2 high and 4 wide.
Architecture SmallInput() {
  Architecture arch{};
  arch.input_height = 2;
  arch.input_width = 4;
  arch.input_channels = 3;
  return arch;
}

absl::StatusOr<InferImages> Read(const InferRequest& request) {
  return ReadInferImages(request, SmallInput());
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

// A good request, and one change that spoils it.
struct Wrong {
  const char* name;
  std::vector<std::string> words;
  std::function<void(InferRequest&)> spoil;
};

void SetShape(InferRequest& request, const std::vector<int64_t>& shape) {
  auto& own = *request.mutable_inputs(0)->mutable_shape();
  own.Clear();
  own.Add(shape.begin(), shape.end());
}

void SetFile(InferRequest& request, const std::vector<int64_t>& shape, const std::string& raw) {
  request.mutable_inputs(0)->set_datatype("BYTES");
  SetShape(request, shape);
  request.set_raw_input_contents(0, raw);
}

inference::InferTensorContents& MakeTyped(InferRequest& request, const std::string& datatype) {
  request.clear_raw_input_contents();
  request.mutable_inputs(0)->set_datatype(datatype);
  return *request.mutable_inputs(0)->mutable_contents();
}

class WrongRequests : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongRequests, AreRefusedByName) {
  InferRequest request = RawTensorRequest("UINT8", {1, 2, 4, 3}, Counting<uint8_t>(24));
  ASSERT_TRUE(Read(request).ok());
  GetParam().spoil(request);
  const auto read = Read(request);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  for (const std::string& words : GetParam().words) {
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(words));
  }
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Inputs, WrongRequests,
    ::testing::Values(
        Wrong{"None", {"no input", "'image'"}, [](auto& r) { r.clear_inputs(); }},
        Wrong{"Unknown",
              {"'picture'", "'image'"},
              [](auto& r) { r.mutable_inputs(0)->set_name("picture"); }},
        Wrong{
            "OneMore",
            {"'mask'", "'image'"},
            [](auto& r) { *r.add_inputs() = r.inputs(0), r.mutable_inputs(1)->set_name("mask"); }},
        Wrong{"Twice", {"2 times"}, [](auto& r) { *r.add_inputs() = r.inputs(0); }},
        Wrong{"LongName",
              {"xxx..."},
              [](auto& r) { r.mutable_inputs(0)->set_name(std::string(100'000, 'x')); }},
        Wrong{
            "SharedMemory",
            {"shared memory"},
            [](auto& r) {
              (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param(
                  "a");
            }},
        Wrong{"Datatype",
              {"'INT8'", "UINT8", "FP32", "BYTES"},
              [](auto& r) { r.mutable_inputs(0)->set_datatype("INT8"); }},
        Wrong{"NoDatatype", {"''"}, [](auto& r) { r.mutable_inputs(0)->clear_datatype(); }}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Shapes, WrongRequests,
    ::testing::Values(
        Wrong{"None", {"[]", "[N, height, width, 3]"}, [](auto& r) { SetShape(r, {}); }},
        Wrong{"WithoutN",
              {"[2, 4, 3]"},
              [](auto& r) {
                SetShape(r, {2, 4, 3});
              }},
        Wrong{"Five",
              {"[1, 1, 2, 4, 3]"},
              [](auto& r) {
                SetShape(r, {1, 1, 2, 4, 3});
              }},
        Wrong{"Endless",
              {"[1, 1, 1, 1, 1, 1, ...]"},
              [](auto& r) { SetShape(r, std::vector<int64_t>(100'000, 1)); }},
        Wrong{"FourChannels",
              {"[1, 2, 3, 4]", "[N, 3, height, width]"},
              [](auto& r) {
                SetShape(r, {1, 2, 3, 4});
              }},
        Wrong{"NoImages",
              {"1 to 64"},
              [](auto& r) {
                SetShape(r, {0, 2, 4, 3});
              }},
        Wrong{"TooManyImages",
              {"[65, 2, 4, 3]", "1 to 64"},
              [](auto& r) {
                SetShape(r, {65, 2, 4, 3});
              }},
        Wrong{"NegativeImages",
              {"-1"},
              [](auto& r) {
                SetShape(r, {-1, 2, 4, 3});
              }},
        Wrong{"NoRows",
              {"1 to 65535"},
              [](auto& r) {
                SetShape(r, {1, 0, 4, 3});
              }},
        Wrong{"NegativeRows",
              {"-2"},
              [](auto& r) {
                SetShape(r, {1, -2, -4, 3});
              }},
        Wrong{"HugeRows",
              {"65535"},
              [](auto& r) {
                SetShape(r, {1, kHuge, 4, 3});
              }},
        Wrong{"HugeEverywhere",
              {"9223372036854775807"},
              [](auto& r) {
                SetShape(r, {kHuge, kHuge, kHuge, 3});
              }},
        // 2^32 x 2^32 x 3 is 0 in 64 bits, as many as the contents have.
        Wrong{"ProductOverflowsToZero",
              {"65535"},
              [](auto& r) {
                SetShape(r, {1, int64_t{1} << 32, int64_t{1} << 32, 3});
                r.set_raw_input_contents(0, "");
              }},
        Wrong{"LargestSides",
              {"12884508675", "24"},
              [](auto& r) {
                SetShape(r, {1, 65'535, 65'535, 3});
              }},
        Wrong{"FilesInTwoColumns",
              {"[1, 2]", "[N, 1]"},
              [](auto& r) {
                SetFile(r, {1, 2}, "");
              }},
        Wrong{"TooManyFiles", {"1 to 64"}, [](auto& r) { SetFile(r, {65}, ""); }},
        Wrong{"HugeNumberOfFiles", {"1 to 64"}, [](auto& r) { SetFile(r, {kHuge}, ""); }},
        Wrong{"FloatsOfAnotherSize",
              {"[1, 4, 2, 3]", "[N, 2, 4, 3]"},
              [](auto& r) {
                r.mutable_inputs(0)->set_datatype("FP32");
                SetShape(r, {1, 4, 2, 3});
              }}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Contents, WrongRequests,
    ::testing::Values(
        Wrong{"Neither",
              {"uint_contents has 0", "24", "raw_input_contents"},
              [](auto& r) { r.clear_raw_input_contents(); }},
        Wrong{"Both",
              {"both"},
              [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_uint_contents(1); }},
        Wrong{
            "RawForTwo", {"2 entries for 1 input"}, [](auto& r) { r.add_raw_input_contents("x"); }},
        Wrong{"RawTooShort",
              {"23 bytes", "24"},
              [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }},
        Wrong{"RawTooLong",
              {"25 bytes", "24"},
              [](auto& r) { *r.mutable_raw_input_contents(0) += 'x'; }},
        Wrong{"TypedTooShort",
              {"uint_contents has 23", "24"},
              [](auto& r) { MakeTyped(r, "UINT8").mutable_uint_contents()->Resize(23, 1); }},
        Wrong{"TypedOutOfRange",
              {"element 7", "256", "255"},
              [](auto& r) {
                auto& values = *MakeTyped(r, "UINT8").mutable_uint_contents();
                values.Resize(24, 1);
                values.Set(7, 256);
              }},
        Wrong{"TypedInAnotherField",
              {"int_contents", "uint_contents"},
              [](auto& r) { MakeTyped(r, "UINT8").mutable_int_contents()->Resize(24, 1); }},
        Wrong{"TypedInAnotherFieldToo",
              {"fp32_contents", "uint_contents"},
              [](auto& r) {
                auto& contents = MakeTyped(r, "UINT8");
                contents.mutable_uint_contents()->Resize(24, 1);
                contents.add_fp32_contents(1);
              }},
        Wrong{"FloatsTooShort",
              {"24 bytes", "96"},
              [](auto& r) { r.mutable_inputs(0)->set_datatype("FP32"); }},
        Wrong{"TypedFloatsTooLong",
              {"fp32_contents has 25", "24"},
              [](auto& r) { MakeTyped(r, "FP32").mutable_fp32_contents()->Resize(25, 1); }},
        Wrong{"NotANumber",
              {"element 5", "nan", "finite"},
              [](auto& r) {
                auto& values = *MakeTyped(r, "FP32").mutable_fp32_contents();
                values.Resize(24, 1);
                values.Set(5, std::numeric_limits<float>::quiet_NaN());
              }},
        Wrong{"Infinity",
              {"element 23", "inf", "finite"},
              [](auto& r) {
                std::vector<float> values(24);
                values[23] = std::numeric_limits<float>::infinity();
                r.mutable_inputs(0)->set_datatype("FP32");
                r.set_raw_input_contents(0, RawBytes(values));
              }},
        Wrong{"NoLength",
              {"ends before the length of element 0"},
              [](auto& r) { SetFile(r, {1}, std::string(3, '\0')); }},
        Wrong{"FileBeyondTheEnd",
              {"element 0", "100 bytes", "99 are left"},
              [](auto& r) { SetFile(r, {1}, WithLength(std::string(100, 'x')).substr(0, 103)); }},
        Wrong{"LargestLength",
              {"4294967295"},
              [](auto& r) { SetFile(r, {1}, "\xff\xff\xff\xff" + std::string(8, 'x')); }},
        Wrong{"FewerFiles",
              {"element 1", "2 elements"},
              [](auto& r) { SetFile(r, {2}, WithLength("x")); }},
        Wrong{"MoreFiles",
              {"5 bytes after its 1 elements"},
              [](auto& r) { SetFile(r, {1}, WithLength("x") + WithLength("y")); }},
        Wrong{"FewerTypedFiles",
              {"bytes_contents has 1", "2"},
              [](auto& r) {
                MakeTyped(r, "BYTES").add_bytes_contents("x");
                SetShape(r, {2});
              }}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex::oip
