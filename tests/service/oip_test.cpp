// A server of the Open Inference Protocol gives, bit by bit, the answers that it gives to Classify.
#include <gmock/gmock.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/image/normalize.h"
#include "tests/service/inference_client.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::test {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class Oip : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8, 7}))).release();
  }
  static void TearDownTestSuite() { delete server_; }

  // The logits of Classify for pictures of those seeds, one after the other.
  static std::vector<float> Classified(const std::string& task, size_t height, size_t width,
                                       const std::vector<uint32_t>& seeds) {
    std::vector<float> logits;
    for (const uint32_t seed : seeds) {
      v1::ClassifyRequest request = RawRequest(task, height, width, seed);
      request.set_logits(true);
      grpc::ClientContext context;
      v1::ClassifyResponse response;
      EXPECT_TRUE(Connect(*server_)->Classify(&context, request, &response).ok());
      logits.insert(logits.end(), response.logits().begin(), response.logits().end());
    }
    return logits;
  }

  static std::vector<uint8_t> Pixels(size_t height, size_t width,
                                     const std::vector<uint32_t>& seeds) {
    std::vector<uint8_t> pixels;
    for (const uint32_t seed : seeds) {
      const std::vector<uint8_t> one = RandomRgb(height, width, seed);
      pixels.insert(pixels.end(), one.begin(), one.end());
    }
    return pixels;
  }

  static inference::ModelInferResponse Infer(InferRequest request, const std::string& task) {
    request.set_model_name(task);
    request.set_id("an id");
    inference::ModelInferResponse response;
    const grpc::Status status = InferStatus(*server_, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.model_name(), task);
    EXPECT_EQ(response.model_version(), server_->engine()->set().tasks[0].version);
    EXPECT_EQ(response.id(), "an id");
    return response;
  }

  static std::vector<float> Logits(const InferRequest& request, const std::string& task) {
    const inference::ModelInferResponse response = Infer(request, task);
    if (response.raw_output_contents_size() != 1) return {};
    const std::string& raw = response.raw_output_contents(0);
    std::vector<float> logits(raw.size() / sizeof(float));
    std::memcpy(logits.data(), raw.data(), logits.size() * sizeof(float));
    return logits;
  }

  static Server* server_;
};
Server* Oip::server_ = nullptr;

TEST_F(Oip, PixelsOfAnySize) {
  const std::vector<uint32_t> seeds = {1, 2, 3};
  const std::vector<float> expected = Classified("task1", 48, 80, seeds);
  const std::vector<uint8_t> pixels = Pixels(48, 80, seeds);
  EXPECT_THAT(Logits(RawTensorRequest("UINT8", {3, 48, 80, 3}, pixels), "task1"),
              ElementsAreArray(expected));
  EXPECT_THAT(
      Logits(RawTensorRequest("UINT8", {3, 3, 48, 80}, Planar(pixels, size_t{48} * 80)), "task1"),
      ElementsAreArray(expected));
  InferRequest typed;
  auto& contents = *AddImage(typed, "UINT8", {3, 48, 80, 3}).mutable_contents();
  contents.mutable_uint_contents()->Add(pixels.begin(), pixels.end());
  EXPECT_THAT(Logits(typed, "task1"), ElementsAreArray(expected));
}

TEST_F(Oip, NormalizedInput) {
  const std::vector<uint32_t> seeds = {4, 5};
  const std::vector<uint8_t> pixels = Pixels(32, 32, seeds);
  const TaskInfo& info = server_->engine()->set().tasks[0].info;
  std::vector<float> values(pixels.size());
  NormalizeRgb8(pixels, info.mean, info.std, absl::MakeSpan(values));
  const std::vector<float> expected = Classified("task0", 32, 32, seeds);
  EXPECT_THAT(Logits(RawTensorRequest("FP32", {2, 32, 32, 3}, values), "task0"),
              ElementsAreArray(expected));
  EXPECT_THAT(Logits(RawTensorRequest("FP32", {2, 3, 32, 32}, Planar(values, 1024)), "task0"),
              ElementsAreArray(expected));
}

TEST_F(Oip, Files) {
  const std::vector<float> expected = Classified("task0", 40, 24, {6});
  const std::vector<uint8_t> rgb = RandomRgb(40, 24, 6);
  cv::Mat bgr(40, 24, CV_8UC3);
  for (size_t i = 0; i < rgb.size(); ++i) bgr.data[i] = rgb[i / 3 * 3 + 2 - i % 3];
  std::vector<uint8_t> png, bmp;
  ASSERT_TRUE(cv::imencode(".png", bgr, png));
  ASSERT_TRUE(cv::imencode(".bmp", bgr, bmp));
  std::vector<float> twice = expected;
  twice.insert(twice.end(), expected.begin(), expected.end());
  InferRequest raw;
  AddImage(raw, "BYTES", {2, 1});
  raw.add_raw_input_contents(WithLength(RawBytes(png)) + WithLength(RawBytes(bmp)));
  EXPECT_THAT(Logits(raw, "task0"), ElementsAreArray(twice));
  InferRequest typed;
  auto& contents = *AddImage(typed, "BYTES", {2}).mutable_contents();
  contents.add_bytes_contents(RawBytes(png));
  contents.add_bytes_contents(RawBytes(bmp));
  EXPECT_THAT(Logits(typed, "task0"), ElementsAreArray(twice));
}

TEST_F(Oip, ProbabilitiesAndClassesAreThoseOfClassify) {
  InferRequest request = RawTensorRequest("UINT8", {1, 32, 32, 3}, RandomRgb(32, 32, 8));
  AddOutput(request, "probabilities");
  AddClasses(request, "logits", 2);
  const inference::ModelInferResponse response = Infer(request, "task1");
  ASSERT_EQ(response.raw_output_contents_size(), 2);

  v1::ClassifyRequest classify = RawRequest("task1", 32, 32, 8);
  classify.set_top_k(4);
  classify.set_logits(true);
  grpc::ClientContext context;
  v1::ClassifyResponse classified;
  ASSERT_TRUE(Connect(*server_)->Classify(&context, classify, &classified).ok());
  std::vector<float> probabilities(4);
  for (const v1::Prediction& one : classified.predictions()) {
    probabilities[one.index()] = one.probability();
  }
  EXPECT_EQ(response.raw_output_contents(0), RawBytes(probabilities));
  std::string best;
  for (int i = 0; i < 2; ++i) {
    const v1::Prediction& one = classified.predictions(i);
    best +=
        WithLength(absl::StrCat(std::to_string(classified.logits(static_cast<int>(one.index()))),
                                ":", one.index(), ":", one.label()));
  }
  EXPECT_EQ(response.raw_output_contents(1), best);
}

TEST_F(Oip, ManyCallersAtOnceGetTheirOwnAnswers) {
  std::vector<std::thread> clients;
  for (uint32_t c = 0; c < 4; ++c) {
    clients.emplace_back([c] {
      const std::string task = absl::StrCat("task", c % 2);
      std::vector<uint32_t> seeds;
      for (uint32_t i = 0; i < 8; ++i) seeds.push_back(100 * c + i);
      EXPECT_THAT(Logits(RawTensorRequest("UINT8", {8, 32, 32, 3}, Pixels(32, 32, seeds)), task),
                  ElementsAreArray(Classified(task, 32, 32, seeds)));
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST_F(Oip, SaysWhatThereIs) {
  const auto stub = ConnectInference(*server_);
  grpc::ClientContext live_context, server_context, model_context;
  inference::ServerLiveResponse live;
  ASSERT_TRUE(stub->ServerLive(&live_context, {}, &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(stub->ServerMetadata(&server_context, {}, &server).ok());
  EXPECT_EQ(server.name(), "bitplex");
  EXPECT_THAT(server.extensions(), ElementsAre("classification"));
  inference::ModelMetadataRequest request;
  request.set_name("task1");
  inference::ModelMetadataResponse model;
  ASSERT_TRUE(stub->ModelMetadata(&model_context, request, &model).ok());
  EXPECT_EQ(model.name(), "task1");
  EXPECT_THAT(model.outputs(0).shape(), ElementsAre(-1, 4));
}

TEST_F(Oip, MetadataOfNoModelIsNotFound) {
  grpc::ClientContext context;
  inference::ModelMetadataRequest request;
  request.set_name("task9");
  inference::ModelMetadataResponse model;
  const grpc::Status status = ConnectInference(*server_)->ModelMetadata(&context, request, &model);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("task0, task1"));
}

TEST_F(Oip, OnlyModelsThatAreThereAreReady) {
  EXPECT_TRUE(ServerIsReady(*server_));
  EXPECT_TRUE(ModelIsReady(*server_, "task1", ""));
  EXPECT_TRUE(ModelIsReady(*server_, "task1", "1"));
  EXPECT_FALSE(ModelIsReady(*server_, "task1", "2"));
  EXPECT_FALSE(ModelIsReady(*server_, "task2", ""));
}

TEST(OipService, IsNotReadyOnceItStops) {
  ServerOptions options = OptionsFor(MakeStore("resnet10-tiny", {8}));
  options.drain_delay = std::chrono::hours(1);
  const auto server = StartOrDie(options);
  EXPECT_TRUE(ServerIsReady(*server));
  std::thread stopper([&] { server->Stop(); });
  while (ServerIsReady(*server)) std::this_thread::yield();
  EXPECT_FALSE(ModelIsReady(*server, "task0", ""));
  server->CutShort();
  stopper.join();
}

TEST_F(Oip, TracesAreLoggedAtLevelDebug) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  logger->set_level(spdlog::level::debug);
  spdlog::set_default_logger(logger);
  InferRequest request = RawTensorRequest("UINT8", {1, 32, 32, 3}, RandomRgb(32, 32, 1));
  request.set_model_name("task0\nforged");
  for (const char* trace :
       {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense"}) {
    grpc::ClientContext context;
    context.AddMetadata("traceparent", trace);
    inference::ModelInferResponse response;
    EXPECT_EQ(ConnectInference(*server_)->ModelInfer(&context, request, &response).error_code(),
              grpc::NOT_FOUND);
  }
  grpc::ClientContext context;
  context.AddMetadata("traceparent", "00-11111111111111111111111111111111-2222222222222222-00");
  v1::ClassifyResponse response;
  EXPECT_TRUE(
      Connect(*server_)->Classify(&context, RawRequest("task1", 32, 32, 1), &response).ok());
  spdlog::set_default_logger(before);
  EXPECT_THAT(log.str(), HasSubstr("request rpc=ModelInfer task=\"task0\\x0aforged\" "
                                   "trace_id=0af7651916cd43dd8448eb211c80319c "
                                   "parent_id=b7ad6b7169203331 sampled=true\n"));
  EXPECT_THAT(log.str(), HasSubstr("traceparent=malformed\n"));
  EXPECT_THAT(log.str(), HasSubstr("request rpc=Classify task=\"task1\" "
                                   "trace_id=11111111111111111111111111111111 "
                                   "parent_id=2222222222222222 sampled=false\n"));
}

}  // namespace
}  // namespace bitplex::test
