// The client's commands against a small Classifier service, over a real connection.
#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "client/command_line.h"
#include "client/evaluate_command.h"
#include "client/output.h"

namespace bitplex {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto kPatience = std::chrono::seconds(30);  // Ends a test that would hang.

// Answers with the label whose index is the first byte of the image (encoded or raw).
class FakeClassifier final : public v1::Classifier::Service {
 public:
  enum class Fault { kNone, kNotFound, kLost, kTwice, kUnknownId, kNewStore, kOkError, kEmpty };

  size_t group = 1;               // Stream answers are held back for this many, then reversed.
  size_t together = 1;            // Single answers wait until so many requests are there.
  std::set<std::string> refused;  // Ids (stream) or images (single) to refuse once.
  bool always_refuse = false;
  Fault fault = Fault::kNone;  // Befalls the stream's id "2".
  std::atomic<size_t> most_in_flight{0};

  grpc::Status ListTasks(grpc::ServerContext*, const v1::ListTasksRequest*,
                         v1::ListTasksResponse* response) override {
    v1::Task* task = response->add_tasks();
    task->set_name("cifar10");
    task->set_architecture("resnet18-cifar");
    for (int i = 0; i < 10; ++i) task->add_labels("label" + std::to_string(i));
    task->set_input_height(32);
    task->set_input_width(32);
    task->set_mantissa_bits(11);
    task->set_reading("mask");
    task->set_checkpoint("a.pt");
    response->set_store_version("store-1");
    return grpc::Status::OK;
  }

  grpc::Status GetMemory(grpc::ServerContext*, const v1::GetMemoryRequest*,
                         v1::GetMemoryResponse* response) override {
    response->mutable_now()->set_saved_vs_half_bytes(-5'000'000);
    response->mutable_now()->set_separate_half_bytes(10'000'000);
    return grpc::Status::OK;
  }

  grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override {
    std::unique_lock<std::mutex> lock(mutex_);
    const std::string& image = request->image().encoded();
    if (refused.erase(image) > 0) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"};
    if (image == "bad") return {grpc::StatusCode::INVALID_ARGUMENT, "not\nan image"};
    most_in_flight = std::max<size_t>(most_in_flight, ++in_flight_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait_for(lock, kPatience, [&] { return arrived_ >= together; });
    // The first image is answered last.
    if (image[0] == '\0') {
      changed_.wait_for(lock, kPatience, [&] { return answered_ + 1 >= together; });
    }
    ++answered_;
    --in_flight_;
    changed_.notify_all();
    *response = Answer(*request, image);
    return grpc::Status::OK;
  }

  grpc::Status ClassifyStream(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::ClassifyStreamResponse, v1::ClassifyRequest>* stream) override {
    std::vector<v1::ClassifyStreamResponse> held;
    v1::ClassifyRequest request;
    while (stream->Read(&request)) {
      v1::ClassifyStreamResponse answer;
      answer.set_id(request.id());
      if (always_refuse || refused.erase(request.id()) > 0) {
        answer.mutable_error()->set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
        answer.mutable_error()->set_message("queue full");
        answer.mutable_error()->set_retry_delay_ms(2);
        stream->Write(answer);
        continue;
      }
      *answer.mutable_response() = Answer(request, request.image().raw().rgb());
      if (request.id() == "2") {
        if (fault == Fault::kLost) return grpc::Status::OK;
        if (fault == Fault::kTwice) held.push_back(answer);
        if (fault == Fault::kUnknownId) answer.set_id("image two");
        if (fault == Fault::kNewStore) answer.mutable_response()->set_store_version("store-2");
        if (fault == Fault::kEmpty) answer.clear_response();
        if (fault == Fault::kOkError) answer.mutable_error()->set_message("odd");
        if (fault == Fault::kNotFound) {
          answer.mutable_error()->set_code(grpc::StatusCode::NOT_FOUND);
          answer.mutable_error()->set_message("no such task");
        }
      }
      held.push_back(answer);
      if (held.size() < group) continue;
      for (auto it = held.rbegin(); it != held.rend(); ++it) stream->Write(*it);
      held.clear();
    }
    return grpc::Status::OK;
  }

 private:
  static v1::ClassifyResponse Answer(const v1::ClassifyRequest& request, const std::string& image) {
    v1::ClassifyResponse response;
    response.set_task(request.task());
    response.set_store_version("store-1");
    const uint32_t top_k = std::max<uint32_t>(request.top_k(), 1);
    for (uint32_t i = 0; i < top_k; ++i) {
      v1::Prediction* prediction = response.add_predictions();
      prediction->set_index((static_cast<uint8_t>(image[0]) + i) % 10);
      prediction->set_label("label" + std::to_string(prediction->index()));
      prediction->set_probability(i == 0 ? 0.75f : 0.125f);
    }
    if (request.logits()) response.add_logits(-1.5f);
    response.mutable_timings()->set_queue_us(1000);
    response.mutable_timings()->set_compute_us(2500);
    return response;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t arrived_ = 0;
  size_t answered_ = 0;
  size_t in_flight_ = 0;
};

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome RunRaw(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "bitplex-client");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::istringstream in(input);
  std::ostringstream out, err;
  const int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(), in, out, err);
  return {code, out.str(), err.str()};
}

class ClientCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = info->name();
    std::replace(name.begin(), name.end(), '/', '_');
    root_ = fs::path(testing::TempDir()) / ("client_commands_" + name);
    fs::remove_all(root_);
    fs::create_directories(root_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void TearDown() override {
    server_->Shutdown();
    fs::remove_all(root_);
  }

  Outcome Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"--server", address_});
    return RunRaw(std::move(arguments), input);
  }

  std::string Write(const std::string& name, const std::string& bytes) {
    std::ofstream(root_ / name, std::ios::binary) << bytes;
    return (root_ / name).string();
  }

  // A CIFAR-10 file whose images have the labels `labels` and make the service predict `predicted`.
  std::string WriteCifar(const std::vector<int>& labels, const std::vector<int>& predicted) {
    std::string bytes;
    for (size_t i = 0; i < labels.size(); ++i) {
      bytes += static_cast<char>(labels[i]);
      bytes += static_cast<char>(predicted[i]);
      bytes += std::string(3071, '\0');
    }
    return Write("test_batch.bin", bytes);
  }

  FakeClassifier service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  fs::path root_;
};

TEST_F(ClientCommandsTest, ClassifyKeepsTheArgumentsOrderThoughAnswersOvertake) {
  std::vector<std::string> arguments = {"classify", "--task", "cifar10", "--json"};
  for (char i = 0; i < 4; ++i) {
    arguments.push_back(Write(std::to_string(i) + ".png", std::string(1, i)));
  }
  service_.together = 4;
  const Outcome outcome = Run(arguments);
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  const json results = json::parse(outcome.out)["results"];
  ASSERT_EQ(results.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(results[i]["file"], arguments[4 + i]);
    EXPECT_EQ(results[i]["predictions"][0]["index"], i);
  }
  EXPECT_EQ(results[0]["predictions"][0]["label"], "label0");
  EXPECT_EQ(results[0]["predictions"][0]["probability"], 0.75);
  EXPECT_EQ(results[0]["timings"]["compute_us"], 2500);
  EXPECT_EQ(results[0]["store_version"], "store-1");
  EXPECT_FALSE(results[0].contains("logits"));
}

TEST_F(ClientCommandsTest, ClassifyHoldsExactly32RequestsInFlight) {
  std::vector<std::string> arguments = {"classify", "--task", "cifar10"};
  for (int i = 0; i < 70; ++i) arguments.push_back(Write(std::to_string(i) + ".png", "\x05"));
  service_.together = 32;
  EXPECT_EQ(Run(arguments).code, kExitOk);
  EXPECT_EQ(service_.most_in_flight, 32u);
}

TEST_F(ClientCommandsTest, ClassifyReportsWhatFailedAndAnswersTheRest) {
  const std::vector<std::string> arguments = {"classify",
                                              "--task",
                                              "cifar10",
                                              Write("bad.png", "bad"),
                                              Write("good.png", "\x03"),
                                              (root_ / "missing.png").string()};
  const Outcome table = Run(arguments);
  EXPECT_EQ(table.code, kExitFailed);
  EXPECT_THAT(table.out, testing::ContainsRegex("good.png +cifar10 +1 +label3 +75.00 % +3.50\n"));
  EXPECT_THAT(table.out, testing::ContainsRegex("bad.png +cifar10 +- +failed: INVALID_ARGUMENT"));
  EXPECT_THAT(table.err, AllOf(HasSubstr("bad.png (cifar10): INVALID_ARGUMENT: not an image\n"),
                               HasSubstr("missing.png (cifar10): NOT_FOUND: ")));

  std::vector<std::string> with_json = arguments;
  with_json.push_back("--json");
  const Outcome document = Run(with_json);
  EXPECT_EQ(document.code, kExitFailed);
  EXPECT_EQ(document.err, "");
  const json results = json::parse(document.out)["results"];
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0]["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(results[0]["error"]["message"], "not\nan image");
  EXPECT_EQ(results[1]["predictions"][0]["index"], 3);
  EXPECT_EQ(results[2]["error"]["code"], "NOT_FOUND");
}

TEST_F(ClientCommandsTest, ClassifyRepeatsWhatAFullQueueRefused) {
  service_.refused = {std::string("\x04") + std::string(300'000, 'x')};
  const Outcome outcome =
      Run({"classify", "--task", "cifar10", Write("large.png", *service_.refused.begin())});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("label4"));
  EXPECT_TRUE(service_.refused.empty());
}

TEST_F(ClientCommandsTest, ClassifyAsksEveryTaskAndPassesOptionsOn) {
  const Outcome outcome = Run({"classify", "--task", "a,b", "--task", "c", "--task", "a", "-",
                               "--top-k", "3", "--logits", "--json"},
                              "\x02");
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  const json results = json::parse(outcome.out)["results"];
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0]["task"], "a");
  EXPECT_EQ(results[1]["task"], "b");
  EXPECT_EQ(results[2]["task"], "c");
  for (const json& result : results) {
    EXPECT_EQ(result["file"], "-");
    EXPECT_EQ(result["predictions"].size(), 3u);
    EXPECT_EQ(result["logits"], json({-1.5}));
  }
}

TEST_F(ClientCommandsTest, ClassifyFailsOnAnEmptyFolder) {
  const Outcome outcome = Run({"classify", "--task", "cifar10", root_.string()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("no image in this folder"));
}

TEST_F(ClientCommandsTest, TasksAsTableAndJson) {
  const Outcome table = Run({"tasks"});
  EXPECT_EQ(table.code, kExitOk);
  EXPECT_THAT(table.out,
              testing::ContainsRegex("cifar10 +resnet18-cifar +10 +32x32 +11 +mask +a.pt"));
  EXPECT_THAT(table.out, AllOf(HasSubstr("store-1"), Not(HasSubstr("label"))));
  const json document = json::parse(Run({"--json", "tasks"}).out);
  EXPECT_EQ(document["store_version"], "store-1");
  EXPECT_EQ(document["tasks"][0]["labels"].size(), 10u);
  EXPECT_EQ(document["tasks"][0]["mantissa_bits"], 11);
}

TEST_F(ClientCommandsTest, MemoryAsTextAndJson) {
  const Outcome text = Run({"memory"});
  EXPECT_EQ(text.code, kExitOk);
  EXPECT_THAT(text.out, HasSubstr("-5.00 MB (-50.0 %)"));
  const json document = json::parse(Run({"memory", "--json"}).out);
  EXPECT_EQ(document["now"]["saved_vs_half_bytes"], -5'000'000);
}

TEST_F(ClientCommandsTest, EvaluateCountsOutOfOrderAnswers) {
  // Right, right, second of five, sixth (so not in the five), and the same again but for the last.
  const std::string data = WriteCifar({0, 1, 3, 8, 0, 1, 3, 9}, {0, 1, 2, 3, 0, 1, 2, 9});
  service_.group = 4;
  const std::string csv = (root_ / "predictions.csv").string();
  const Outcome outcome =
      Run({"evaluate", "--task", "cifar10", "--data", data, "--json", "--predictions", csv});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  const json document = json::parse(outcome.out);
  EXPECT_EQ(document["task"], "cifar10");
  EXPECT_EQ(document["images"], 8);
  EXPECT_EQ(document["correct"], 5);
  EXPECT_EQ(document["top1"], 62.5);
  EXPECT_EQ(document["top5"], 87.5);
  EXPECT_GT(document["images_per_second"], 0);
  EXPECT_EQ(document["store_version"], "store-1");
  std::stringstream lines;
  lines << std::ifstream(csv).rdbuf();
  EXPECT_EQ(lines.str(),
            "index,label,predicted\n0,0,0\n1,1,1\n2,3,2\n3,8,3\n4,0,0\n5,1,1\n6,3,2\n7,9,9\n");
}

TEST_F(ClientCommandsTest, EvaluateSendsRefusedImagesAgain) {
  const std::vector<int> labels(200, 7);
  service_.refused = {"0", "3", "70", "199"};
  const Outcome outcome =
      Run({"evaluate", "--task", "cifar10", "--data", WriteCifar(labels, labels), "--json"});
  ASSERT_EQ(outcome.code, kExitOk) << outcome.err;
  const json document = json::parse(outcome.out);
  EXPECT_EQ(document["images"], 200);
  EXPECT_EQ(document["correct"], 200);
  EXPECT_EQ(document["refusals"], 4);
}

TEST_F(ClientCommandsTest, EvaluateGivesUpOnAQueueThatStaysFull) {
  service_.always_refuse = true;
  EvaluateOptions options;
  options.connection.server = address_;
  options.task = "cifar10";
  options.data = WriteCifar({1}, {1});
  options.send.max_attempts = 3;
  options.send.first_backoff = std::chrono::milliseconds(1);
  std::ostringstream out, err;
  EXPECT_EQ(RunEvaluate(options, out, err), kExitFailed);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("3 times")));
  EXPECT_EQ(out.str(), "");
}

TEST_F(ClientCommandsTest, EvaluateUsesTheFirstImagesOnly) {
  const std::string data = WriteCifar({1, 1, 1}, {1, 2, 1});
  const Outcome outcome = Run({"evaluate", "--task", "cifar10", "--data", data, "--limit", "2"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("top-1 50.00 %, top-5 50.00 % (1 and 1 of 2 images)"));
}

TEST_F(ClientCommandsTest, EvaluateNamesWhatIsMissing) {
  const std::string data = WriteCifar({1}, {1});
  const Outcome task = Run({"evaluate", "--task", "other", "--data", data});
  EXPECT_EQ(task.code, kExitFailed);
  EXPECT_THAT(task.err, AllOf(HasSubstr("'other'"), HasSubstr("cifar10")));
  const Outcome file = Run({"evaluate", "--task", "cifar10", "--data", data + "x"});
  EXPECT_EQ(file.code, kExitFailed);
  EXPECT_THAT(file.err, HasSubstr(data + "x"));
  const Outcome csv = Run({"evaluate", "--task", "cifar10", "--data", data, "--predictions",
                           (root_ / "no" / "such.csv").string()});
  EXPECT_EQ(csv.code, kExitFailed);
  EXPECT_THAT(csv.err, HasSubstr("such.csv"));
}

struct FaultCase {
  std::string name;
  FakeClassifier::Fault fault;
  std::string message;
};

class EvaluateFaultTest : public ClientCommandsTest,
                          public testing::WithParamInterface<FaultCase> {};

TEST_P(EvaluateFaultTest, StopsWithAMessage) {
  service_.fault = GetParam().fault;
  const std::string data = WriteCifar({1, 2, 3, 4}, {1, 2, 3, 4});
  const Outcome outcome = Run({"evaluate", "--task", "cifar10", "--data", data, "--json"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

using Fault = FakeClassifier::Fault;
INSTANTIATE_TEST_SUITE_P(
    All, EvaluateFaultTest,
    testing::Values(FaultCase{"ErrorAnswer", Fault::kNotFound, "NOT_FOUND: image 2: no such task"},
                    FaultCase{"LostAnswer", Fault::kLost, "first image without one is 2"},
                    FaultCase{"AnsweredTwice", Fault::kTwice, "for image 2 more often"},
                    FaultCase{"UnknownId", Fault::kUnknownId, "unknown id 'image two'"},
                    FaultCase{"NewWeights", Fault::kNewStore, "weights changed at image 2"},
                    FaultCase{"ErrorWithoutCode", Fault::kOkError, "UNKNOWN: image 2: odd"},
                    FaultCase{"EmptyAnswer", Fault::kEmpty, "answer for image 2 is empty"}),
    [](const auto& test) { return test.param.name; });

TEST_F(ClientCommandsTest, EvaluateSeesASecondAnswerAfterTheLastImage) {
  service_.fault = Fault::kTwice;
  const Outcome outcome =
      Run({"evaluate", "--task", "cifar10", "--data", WriteCifar({1, 2, 3}, {1, 2, 3})});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("surplus answer, for image 2"));
}

TEST_F(ClientCommandsTest, ServerAddressMayFollowTheCommandOrComeFromTheEnvironment) {
  EXPECT_EQ(RunRaw({"tasks", "--json", "--server", address_, "--timeout-ms", "20000"}).code,
            kExitOk);
  setenv("BITPLEX_SERVER", address_.c_str(), 1);
  EXPECT_EQ(RunRaw({"tasks"}).code, kExitOk);
  unsetenv("BITPLEX_SERVER");
}

}  // namespace
}  // namespace bitplex
