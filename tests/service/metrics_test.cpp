// What a server's metrics say after requests that are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "tests/service/inference_client.h"
#include "tests/service/scrape.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::test {
namespace {

v1::ClassifyResponse Classify(const Server& server, const v1::ClassifyRequest& request,
                              grpc::StatusCode expected = grpc::StatusCode::OK) {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = Connect(server)->Classify(&context, request, &response);
  EXPECT_EQ(status.error_code(), expected) << status.error_message();
  return response;
}

void ClassifyTimes(const Server& server, const std::string& task, uint32_t times) {
  for (uint32_t i = 0; i < times; ++i) Classify(server, RawRequest(task, 32, 32, i));
}

v1::ClassifyRequest WithoutImage(const std::string& task) {
  v1::ClassifyRequest request;
  request.set_task(task);
  return request;
}

double Requests(const Scrape& scrape, const std::string& task, const std::string& code) {
  return scrape.Value("bitplex_requests_total", {{"task", task}, {"code", code}});
}

double Stage(const Scrape& scrape, const std::string& part, const std::string& task,
             const std::string& stage) {
  return scrape.Value(absl::StrCat("bitplex_request_duration_seconds_", part),
                      {{"task", task}, {"stage", stage}});
}

TEST(Metrics, CallsAreCountedByTaskAndCode) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8, 7})));
  ClassifyTimes(*server, "task0", 3);
  ClassifyTimes(*server, "task1", 2);
  Classify(*server, WithoutImage("task1"), grpc::INVALID_ARGUMENT);
  v1::ClassifyRequest long_id = RawRequest("task1", 32, 32, 0);
  long_id.set_id(std::string(1000, 'x'));
  Classify(*server, long_id, grpc::INVALID_ARGUMENT);
  Classify(*server, RawRequest("task2", 32, 32, 0), grpc::NOT_FOUND);

  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(Requests(scrape, "task0", "OK"), 3);
  EXPECT_EQ(Requests(scrape, "task1", "OK"), 2);
  EXPECT_EQ(Requests(scrape, "task1", "INVALID_ARGUMENT"), 2);
  EXPECT_EQ(Requests(scrape, "", "NOT_FOUND"), 1);
  EXPECT_EQ(scrape.Sum("bitplex_requests_total"), 8);
}

TEST(Metrics, EachMessageOfAStreamIsARequest) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8, 7})));
  grpc::ClientContext context;
  const auto stub = Connect(*server);
  const auto stream = stub->ClassifyStream(&context);
  const std::vector<v1::ClassifyRequest> requests = {
      RawRequest("task0", 32, 32, 1), RawRequest("task1", 32, 32, 2), WithoutImage("task0"),
      RawRequest("nothing", 32, 32, 3)};
  for (const v1::ClassifyRequest& request : requests) ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  for (v1::ClassifyStreamResponse response; stream->Read(&response);) {
  }
  ASSERT_TRUE(stream->Finish().ok());

  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(Requests(scrape, "task0", "OK"), 1);
  EXPECT_EQ(Requests(scrape, "task1", "OK"), 1);
  EXPECT_EQ(Requests(scrape, "task0", "INVALID_ARGUMENT"), 1);
  EXPECT_EQ(Requests(scrape, "", "NOT_FOUND"), 1);
  EXPECT_EQ(scrape.Sum("bitplex_requests_total"), 4);
}

TEST(Metrics, AModelInferCallIsOneRequestOfSeveralImages) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8, 7})));
  const auto infer = [&](const std::string& model, int64_t images) {
    const std::vector<uint8_t> pixels(static_cast<size_t>(images) * 32 * 32 * 3, 100);
    InferRequest request = RawTensorRequest("UINT8", {images, 32, 32, 3}, pixels);
    request.set_model_name(model);
    inference::ModelInferResponse response;
    return InferStatus(*server, request, &response).error_code();
  };
  EXPECT_EQ(infer("task1", 3), grpc::OK);
  EXPECT_EQ(infer("task1", 0), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(infer("nothing", 1), grpc::NOT_FOUND);

  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(Requests(scrape, "task1", "OK"), 1);
  EXPECT_EQ(Requests(scrape, "task1", "INVALID_ARGUMENT"), 1);
  EXPECT_EQ(Requests(scrape, "", "NOT_FOUND"), 1);
  EXPECT_EQ(scrape.Sum("bitplex_requests_total"), 3);
  EXPECT_EQ(Stage(scrape, "count", "task1", "total"), 1);
  EXPECT_EQ(Stage(scrape, "count", "task1", "compute"), 3);
  EXPECT_EQ(scrape.Value("bitplex_batch_images_sum", {{"task", "task1"}}), 3);
  EXPECT_EQ(scrape.Sum("bitplex_batch_images_sum"), 3);
}

TEST(Metrics, WhatAClientSendsMakesNoSeries) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8})));
  const size_t series = ScrapeMetrics(*server).samples.size();
  for (const char* task : {"", "TASK0", "task0\"} 1\nevil{x=\"", "a", "b"}) {
    Classify(*server, WithoutImage(task), grpc::NOT_FOUND);
  }
  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(scrape.samples.size(), series);
  EXPECT_EQ(Requests(scrape, "", "NOT_FOUND"), 5);
}

TEST(Metrics, StagesAddUpToWhatTheAnswersSay) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8})));
  std::map<std::string, double> seconds;
  const auto start = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < 5; ++i) {
    const v1::Timings timings = Classify(*server, RawRequest("task0", 40, 30, i)).timings();
    seconds["queue"] += static_cast<double>(timings.queue_us()) / 1e6;
    seconds["decode"] += static_cast<double>(timings.decode_us()) / 1e6;
    seconds["view"] += static_cast<double>(timings.view_us()) / 1e6;
    seconds["compute"] += static_cast<double>(timings.compute_us()) / 1e6;
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  // Refused: it took no part in any stage.
  Classify(*server, WithoutImage("task0"), grpc::INVALID_ARGUMENT);

  const Scrape scrape = ScrapeMetrics(*server);
  double stages = 0;
  for (const auto& [stage, sum] : seconds) {
    EXPECT_EQ(Stage(scrape, "count", "task0", stage), 5) << stage;
    EXPECT_NEAR(Stage(scrape, "sum", "task0", stage), sum, 1e-9) << stage;
    stages += sum;
  }
  EXPECT_GT(seconds["compute"], 0);
  EXPECT_EQ(Stage(scrape, "count", "task0", "total"), 5);
  EXPECT_GT(Stage(scrape, "sum", "task0", "total"), stages);
  EXPECT_LT(Stage(scrape, "sum", "task0", "total"), wall.count());
  // From 50 us to 10 s, and all of them in the last.
  const auto bucket = [&](const char* le) {
    return scrape.Value("bitplex_request_duration_seconds_bucket",
                        {{"task", "task0"}, {"stage", "queue"}, {"le", le}});
  };
  EXPECT_GE(bucket("5e-05"), 0);
  EXPECT_LE(bucket("10"), 5);
  EXPECT_EQ(bucket("+Inf"), 5);
}

TEST(Metrics, ImagesThatWaitAreSeenWaiting) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8, 7}));
  options.engine.batcher.batch.max_delay = std::chrono::hours(1);
  const auto server = StartOrDie(options);
  grpc::ClientContext context;
  const auto stub = Connect(*server);
  const auto stream = stub->ClassifyStream(&context);
  for (uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(RawRequest("task1", 32, 32, i)));
  while (ScrapeMetrics(*server).Value("bitplex_queue_depth", {{"task", "task1"}}) < 3) {
  }
  EXPECT_EQ(ScrapeMetrics(*server).Value("bitplex_queue_depth", {{"task", "task0"}}), 0);
  EXPECT_EQ(ScrapeMetrics(*server).Sum("bitplex_requests_total"), 0);
  server->Stop();
  EXPECT_EQ(server->metrics_port(), 0);
  int answers = 0;
  for (v1::ClassifyStreamResponse response; stream->Read(&response);) ++answers;
  EXPECT_EQ(answers, 3);
  stream->Finish();
}

TEST(Metrics, ThereAreNoneUnlessAskedFor) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8})));
  EXPECT_EQ(server->metrics_port(), 0);
  EXPECT_EQ(server->engine()->recorder(), nullptr);
  ClassifyTimes(*server, "task0", 1);
}

TEST(Metrics, ThePortAnswersGetMetricsAndNothingElse) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8})));
  const int port = server->metrics_port();
  EXPECT_EQ(HttpRequest(port, "GET", "/metrics").status, 200);
  for (const char* path : {"/", "/metric", "/etc/passwd", "/../../etc/passwd"}) {
    const HttpReply reply = HttpRequest(port, "GET", path);
    EXPECT_GE(reply.status, 400) << path;
    EXPECT_THAT(reply.body, ::testing::Not(::testing::HasSubstr("bitplex"))) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    EXPECT_GE(HttpRequest(port, method, "/metrics").status, 400) << method;
  }
  EXPECT_EQ(HttpRequest(port, "GET", "/metrics").status, 200);
}

TEST(Metrics, APortThatIsTakenEndsTheStart) {
  const auto server = StartOrDie(WithMetrics(MakeStore("resnet10-tiny", {8})));
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8}));
  options.metrics_listen = absl::StrCat("127.0.0.1:", server->metrics_port());
  const auto second = Server::Start(options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              ::testing::HasSubstr(absl::StrCat("cannot listen on ", options.metrics_listen)));
}

TEST(Metrics, AnAddressThatOthersReachNeedsInsecure) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8}));
  options.metrics_listen = "0.0.0.0:0";
  EXPECT_EQ(Server::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
  options.security.insecure = true;
  EXPECT_GT(StartOrDie(options)->metrics_port(), 0);
  // Two ports to civetweb, of which the second would be open to all.
  options.security.insecure = false;
  options.metrics_listen = "127.0.0.1:0,0";
  EXPECT_EQ(Server::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitplex::test
