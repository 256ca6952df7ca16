// Answers through gRPC are, bit by bit, those of the executor alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/executor/predictions.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::ElementsAreArray;

v1::ClassifyResponse Classify(v1::Classifier::Stub& stub, v1::ClassifyRequest request) {
  request.set_logits(true);
  request.set_id("id of the request");
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = stub.Classify(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "id of the request");
  EXPECT_EQ(response.task(), request.task());
  return response;
}

struct Mode {
  const char* name;
  Reading reading;
  size_t view_budget_bytes;
  size_t max_batch;
  std::optional<Precision> precision = std::nullopt;
};

class EveryMode : public ::testing::TestWithParam<Mode> {};

TEST_P(EveryMode, AnswersAreThoseOfTheExecutorAlone) {
  const Mode mode = GetParam();
  if (mode.precision && !SharedExecutor().Supports(*mode.precision).ok()) {
    GTEST_SKIP() << "this processor is not made for " << PrecisionName(*mode.precision);
  }
  const std::string store = MakeStore("resnet10-tiny", {7, 6, 5});
  ServerOptions options = OptionsFor(store);
  options.reading = mode.reading;
  options.view_budget_bytes = mode.view_budget_bytes;
  options.precision = mode.precision;
  options.engine.batcher.workers = 2;
  options.engine.batcher.batch.max_batch = mode.max_batch;
  const auto server = StartOrDie(options);
  std::vector<std::thread> clients;
  for (uint32_t c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      const auto stub = Connect(*server);
      for (uint32_t i = 0; i < 12; ++i) {
        const std::string task = absl::StrCat("task", (c + i) % 3);
        const uint32_t seed = 1000 * c + i;
        const v1::ClassifyResponse response = Classify(*stub, RawRequest(task, 32, 32, seed));
        const std::vector<float> expected =
            OfflineLogits(store, task, mode.reading, RandomRgb(32, 32, seed), mode.precision);
        EXPECT_THAT(response.logits(), ElementsAreArray(expected)) << task << ", seed " << seed;
        ASSERT_EQ(response.predictions_size(), 1);
        const RankedClass best = TopK(expected, 1)[0];
        EXPECT_EQ(response.predictions(0).index(), best.index);
        EXPECT_EQ(response.predictions(0).label(), absl::StrCat("label ", best.index));
        EXPECT_EQ(response.predictions(0).probability(), best.probability);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

INSTANTIATE_TEST_SUITE_P(
    Modes, EveryMode,
    ::testing::Values(Mode{"MaskAllViews", Reading::kMask, size_t{1} << 30, 8},
                      Mode{"MaskOneView", Reading::kMask, 400'000, 8},
                      Mode{"MaskLayerByLayer", Reading::kMask, 0, 8},
                      Mode{"DitherAllViews", Reading::kDither, size_t{1} << 30, 8},
                      Mode{"DitherLayerByLayer", Reading::kDither, 0, 3},
                      Mode{"OneAtATime", Reading::kMask, size_t{1} << 30, 1},
                      Mode{"Float32", Reading::kMask, size_t{1} << 30, 8, Precision::kFloat32},
                      Mode{"Float32LayerByLayer", Reading::kMask, 0, 8, Precision::kFloat32},
                      Mode{"Bfloat16", Reading::kMask, size_t{1} << 30, 8, Precision::kBfloat16},
                      Mode{"Bfloat16LayerByLayer", Reading::kMask, 0, 8, Precision::kBfloat16},
                      Mode{"Int8Dithered", Reading::kDither, 400'000, 8, Precision::kInt8}),
    [](const auto& test) { return test.param.name; });

TEST(Classify, EncodedAndRawOfTheSamePictureAgree) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8, 8})));
  const auto stub = Connect(*server);
  std::vector<uint8_t> rgb = RandomRgb(48, 80, 7);
  cv::Mat bgr(48, 80, CV_8UC3);
  for (size_t i = 0; i < rgb.size(); ++i) bgr.data[i] = rgb[i / 3 * 3 + 2 - i % 3];
  const std::vector<float> raw = [&] {
    const auto response = Classify(*stub, RawRequest("task1", 48, 80, 7));
    return std::vector<float>(response.logits().begin(), response.logits().end());
  }();
  for (const char* suffix : {".png", ".bmp"}) {
    std::vector<uint8_t> file;
    ASSERT_TRUE(cv::imencode(suffix, bgr, file));
    v1::ClassifyRequest request;
    request.set_task("task1");
    request.mutable_image()->set_encoded(file.data(), file.size());
    EXPECT_THAT(Classify(*stub, request).logits(), ElementsAreArray(raw)) << suffix;
  }
}

TEST(Classify, TopKIsAtMostTheClassesBestFirst) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8, 8})));
  const auto stub = Connect(*server);
  v1::ClassifyRequest request = RawRequest("task1", 32, 32, 3);
  request.set_top_k(1000);
  const v1::ClassifyResponse response = Classify(*stub, request);
  ASSERT_EQ(response.predictions_size(), 4);
  float sum = 0;
  for (int i = 0; i < 4; ++i) {
    sum += response.predictions(i).probability();
    if (i > 0) {
      EXPECT_LE(response.predictions(i).probability(), response.predictions(i - 1).probability());
    }
  }
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_EQ(response.timings().batch_size(), 1u);
  EXPECT_GT(response.timings().compute_us(), 0u);
}

TEST(Classify, ServesTwiceSixteenTasksFromOneStore) {
  const std::string store = MakeStore("resnet10-tiny", std::vector<unsigned>(32, 2));
  ServerOptions options = OptionsFor(store);
  options.view_budget_bytes = 1'000'000;  // Three of the 32 views.
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  for (uint32_t i = 0; i < 64; ++i) {
    const std::string task = absl::StrCat("task", i * 7 % 32);
    EXPECT_THAT(Classify(*stub, RawRequest(task, 32, 32, i)).logits(),
                ElementsAreArray(OfflineLogits(store, task, Reading::kMask, RandomRgb(32, 32, i))))
        << task;
  }
  EXPECT_LE(server->engine()->Memory().view_bytes, 1'000'000u);
  EXPECT_GT(server->engine()->Memory().views.evictions, 0u);
}

TEST(Tasks, ListsWhatTheStoreHolds) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {9, 4})));
  grpc::ClientContext context;
  v1::ListTasksResponse response;
  ASSERT_TRUE(Connect(*server)->ListTasks(&context, {}, &response).ok());
  ASSERT_EQ(response.tasks_size(), 2);
  EXPECT_EQ(response.tasks(1).name(), "task1");
  EXPECT_EQ(response.tasks(1).mantissa_bits(), 4u);
  EXPECT_EQ(response.tasks(1).labels_size(), 4);
  EXPECT_EQ(response.tasks(1).reading(), "mask");
  EXPECT_EQ(response.tasks(0).architecture(), "resnet10-tiny");
  EXPECT_EQ(response.store_version().size(), 16u);
}

}  // namespace
}  // namespace bitplex::test
