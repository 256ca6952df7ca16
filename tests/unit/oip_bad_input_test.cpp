// Every way for the picture of a ModelInfer request to be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>

#include "server/service/oip/infer_images.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::oip {
namespace {

using test::AddImage;
using test::InferRequest;
using test::RawBytes;
using test::RawTensorRequest;
using test::WithLength;
using ::testing::HasSubstr;

absl::StatusOr<InferImages> Read(const InferRequest& request) {
  Architecture arch{};
  arch.input_height = 2;
  arch.input_width = 4;
  arch.input_channels = 3;
  return ReadInferImages(request, arch);
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
  InferRequest request = RawTensorRequest("UINT8", {1, 2, 4, 3}, std::vector<uint8_t>(24, 1));
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
