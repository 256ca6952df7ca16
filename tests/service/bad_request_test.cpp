// Every way to ask for what cannot be: the code and the words of the answer, and a server that goes
// on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

void SetEncoded(v1::ClassifyRequest& request, const std::string& bytes) {
  request.mutable_image()->set_encoded(bytes);
}

// The first bytes of a PNG that says it has that many pixels.
std::string PngHeader(uint32_t width, uint32_t height) {
  std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  for (const uint32_t value : {width, height}) {
    for (int shift = 24; shift >= 0; shift -= 8) png += static_cast<char>(value >> shift);
  }
  return png + std::string("\x08\x02\0\0\0\0\0\0\0", 9);
}

// Empty picture data, and the end.
const std::string kPngEnd("\0\0\0\0IDAT\x35\xAF\x06\x1E\0\0\0\0IEND\xAE\x42\x60\x82", 24);

struct BadRequest {
  const char* name;
  grpc::StatusCode code;
  std::string words;
  std::function<void(v1::ClassifyRequest&)> change;
};

class BadRequests : public ::testing::TestWithParam<BadRequest> {
 protected:
  static void SetUpTestSuite() {
    server_ = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8, 8}))).release();
  }
  static void TearDownTestSuite() { delete server_; }
  static Server* server_;
};
Server* BadRequests::server_ = nullptr;

TEST_P(BadRequests, AreRefusedByName) {
  const auto stub = Connect(*server_);
  v1::ClassifyRequest request = RawRequest("task0", 32, 32, 1);
  GetParam().change(request);
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = stub->Classify(&context, request, &response);
  EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().words));

  grpc::ClientContext good_context;
  EXPECT_TRUE(stub->Classify(&good_context, RawRequest("task0", 32, 32, 1), &response).ok());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRequests,
    ::testing::Values(
        BadRequest{"UnknownTask", grpc::NOT_FOUND, "this server has task0, task1",
                   [](auto& request) { request.set_task("task2"); }},
        BadRequest{"NoTask", grpc::NOT_FOUND, "task0, task1",
                   [](auto& request) { request.clear_task(); }},
        BadRequest{"NoImage", grpc::INVALID_ARGUMENT, "no image",
                   [](auto& request) { request.clear_image(); }},
        BadRequest{"EmptyImage", grpc::INVALID_ARGUMENT, "empty",
                   [](auto& request) { SetEncoded(request, ""); }},
        BadRequest{"NotAnImage", grpc::INVALID_ARGUMENT, "JPEG, PNG, WebP",
                   [](auto& request) { SetEncoded(request, std::string(500, 'x')); }},
        BadRequest{"Gif", grpc::INVALID_ARGUMENT, "GIF",
                   [](auto& request) { SetEncoded(request, "GIF89a" + std::string(500, 'x')); }},
        BadRequest{"TruncatedPng", grpc::INVALID_ARGUMENT, "",
                   [](auto& request) { SetEncoded(request, PngHeader(32, 32)); }},
        BadRequest{"TooManyPixels", grpc::INVALID_ARGUMENT, "50000000",
                   [](auto& request) { SetEncoded(request, PngHeader(60'000, 60'000) + kPngEnd); }},
        BadRequest{"TooManyBytes", grpc::INVALID_ARGUMENT, "16777216",
                   [](auto& request) {
                     SetEncoded(request, PngHeader(32, 32) + std::string(17u << 20, 'x'));
                   }},
        BadRequest{"RawOfWrongLength", grpc::INVALID_ARGUMENT, "3072",
                   [](auto& request) {
                     request.mutable_image()->mutable_raw()->mutable_rgb()->pop_back();
                   }},
        BadRequest{"RawOfNoHeight", grpc::INVALID_ARGUMENT, "",
                   [](auto& request) { request.mutable_image()->mutable_raw()->set_height(0); }},
        BadRequest{"RawThatOverflows", grpc::INVALID_ARGUMENT, "",
                   [](auto& request) {
                     request.mutable_image()->mutable_raw()->set_height(0xFFFFFFFF);
                     request.mutable_image()->mutable_raw()->set_width(0xFFFFFFFF);
                   }},
        BadRequest{"LongId", grpc::INVALID_ARGUMENT, "256",
                   [](auto& request) { request.set_id(std::string(257, 'i')); }}),
    [](const auto& test) { return test.param.name; });

TEST(BadTaskName, IsCutInTheAnswer) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8})));
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = Connect(*server)->Classify(
      &context, RawRequest(std::string(100'000, 'x'), 32, 32, 1), &response);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_LE(status.error_message().size(), 1024u);
}

TEST(BadDeadline, IsRefusedWithoutComputing) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8})));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::ClassifyResponse response;
  const grpc::Status status =
      Connect(*server)->Classify(&context, RawRequest("task0", 32, 32, 1), &response);
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(server->engine()->Memory().views.materializations, 0u);
}

}  // namespace
}  // namespace bitplex::test
