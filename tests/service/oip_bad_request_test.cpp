// ModelInfer requests that cannot be answered: the code and the words, and a server that goes on.
// What is wrong with a tensor itself is tested in tests/unit/oip_bad_input_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/service/inference_client.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

InferRequest Good(int64_t images) {
  InferRequest request = RawTensorRequest("UINT8", {images, 32, 32, 3},
                                          std::vector<uint8_t>(static_cast<size_t>(images) * 3072));
  request.set_model_name("task0");
  return request;
}

struct Bad {
  const char* name;
  grpc::StatusCode code;
  std::string words;
  std::function<void(InferRequest&)> change;
};

class BadInferRequests : public ::testing::TestWithParam<Bad> {
 protected:
  static void SetUpTestSuite() {
    ServerOptions options = OptionsFor(MakeStore("resnet10-tiny", {8}));
    options.engine.images.max_pixels = 2000;
    server_ = StartOrDie(options).release();
  }
  static void TearDownTestSuite() { delete server_; }
  static Server* server_;
};
Server* BadInferRequests::server_ = nullptr;

TEST_P(BadInferRequests, AreRefusedByName) {
  InferRequest request = Good(2);
  GetParam().change(request);
  inference::ModelInferResponse response;
  const grpc::Status status = InferStatus(*server_, request, &response);
  EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().words));
  EXPECT_LE(status.error_message().size(), 1024u);
  EXPECT_TRUE(InferStatus(*server_, Good(2), &response).ok());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadInferRequests,
    ::testing::Values(
        Bad{"UnknownModel", grpc::NOT_FOUND, "this server has task0",
            [](auto& r) { r.set_model_name("task1"); }},
        Bad{"LongModelName", grpc::NOT_FOUND, "task0",
            [](auto& r) { r.set_model_name(std::string(100'000, 'x')); }},
        Bad{"UnknownVersion", grpc::NOT_FOUND, "no version '3'",
            [](auto& r) { r.set_model_version("3"); }},
        Bad{"LongId", grpc::INVALID_ARGUMENT, "256",
            [](auto& r) { r.set_id(std::string(257, 'i')); }},
        Bad{"NoInput", grpc::INVALID_ARGUMENT, "'image'", [](auto& r) { r.clear_inputs(); }},
        Bad{"WrongLength", grpc::INVALID_ARGUMENT, "6144",
            [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }},
        Bad{"UnknownOutput", grpc::INVALID_ARGUMENT, "'logits'",
            [](auto& r) { AddOutput(r, "x"); }},
        Bad{"ClassesOutOfRange", grpc::INVALID_ARGUMENT, "1 or more",
            [](auto& r) { AddClasses(r, "logits", -1); }},
        Bad{"MorePixelsThanTheLimit", grpc::INVALID_ARGUMENT, "element 0: the image has 32 x 64",
            [](auto& r) {
              r.mutable_inputs(0)->set_shape(0, 1);
              r.mutable_inputs(0)->set_shape(1, 64);
            }},
        Bad{"OneFileOfThreeIsBroken", grpc::INVALID_ARGUMENT, "element 0: ",
            [](auto& r) {
              r.clear_inputs();
              r.clear_raw_input_contents();
              auto& contents = *AddImage(r, "BYTES", {3}).mutable_contents();
              for (int i = 0; i < 3; ++i) contents.add_bytes_contents("no picture");
            }}),
    [](const auto& test) { return test.param.name; });

TEST(FullQueue, RefusesTheWholeRequestAndGoesOn) {
  ServerOptions options = OptionsFor(MakeStore("resnet10-tiny", {8}));
  options.engine.batcher.batch.queue_capacity = 1;
  const auto server = StartOrDie(options);
  inference::ModelInferResponse response;
  // Of 64, none could find the one place taken only if a worker came between every two.
  const grpc::Status status = InferStatus(*server, Good(64), &response);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("queue is full"));
  EXPECT_TRUE(InferStatus(*server, Good(1), &response).ok());
}

TEST(PassedDeadline, IsRefusedWithoutComputing) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8})));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  inference::ModelInferResponse response;
  EXPECT_EQ(ConnectInference(*server)->ModelInfer(&context, Good(3), &response).error_code(),
            grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(server->engine()->Memory().views.materializations, 0u);
}

}  // namespace
}  // namespace bitplex::test
