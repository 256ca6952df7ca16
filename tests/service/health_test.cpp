// grpc.health.v1, for the whole server and for each task.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "model_store/util/map_fault.h"
#include "server/app/server.h"
#include "tests/service/child_process.h"
#include "tests/service/health_client.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;

class HealthTest : public ::testing::Test {
 protected:
  ~HealthTest() override { std::filesystem::remove(path_); }
  const std::string path_ = [] {
    const std::string path = TempPath("health.bpx");
    std::filesystem::copy_file(MakeStore("resnet10-tiny", {8, 8}), path,
                               std::filesystem::copy_options::overwrite_existing);
    return path;
  }();
};

TEST_F(HealthTest, IsOfTheServerItsServicesAndItsTasks) {
  const auto server = StartOrDie(OptionsFor(path_));
  for (const char* name :
       {"", "task0", "task1", "bitplex.v1.Classifier", "inference.GRPCInferenceService"}) {
    EXPECT_EQ(CheckHealth(*server, name), HealthAnswer::kServing) << name;
  }
  EXPECT_EQ(CheckHealth(*server, "task2"), HealthAnswer::kUnknownService);
}

TEST_F(HealthTest, FollowsTheTasksOfAReload) {
  const auto server = StartOrDie(OptionsFor(path_));
  std::filesystem::rename(MakeStore("resnet10-tiny", {7}), path_);
  ASSERT_TRUE(server->Reload("test").ok());
  EXPECT_EQ(CheckHealth(*server, "task0"), HealthAnswer::kServing);
  EXPECT_EQ(CheckHealth(*server, "task1"), HealthAnswer::kNotServing);
}

TEST_F(HealthTest, TheClientTellsByItsExitCode) {
  const auto server = StartOrDie(OptionsFor(path_));
  std::filesystem::rename(MakeStore("resnet10-tiny", {7}), path_);
  ASSERT_TRUE(server->Reload("test").ok());
  const auto ask = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--server", absl::StrCat("127.0.0.1:", server->port()),
                                          "health"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ChildProcess client("bitplex-client", arguments);
    return std::pair(client.Wait(), client.output());
  };
  EXPECT_THAT(ask({}), Pair(0, "SERVING\n"));
  EXPECT_THAT(ask({"task0", "--json"}), Pair(0, HasSubstr("\"status\": \"SERVING\"")));
  EXPECT_THAT(ask({"task1"}), Pair(1, "NOT_SERVING\n"));
  EXPECT_THAT(ask({"nobody"}), Pair(1, HasSubstr("no task 'nobody'")));
}

TEST_F(HealthTest, TellsFirstWhenTheServerStops) {
  ServerOptions options = OptionsFor(path_);
  options.drain_delay = std::chrono::hours(1);
  const auto server = StartOrDie(options);
  std::thread stopper([&] { server->Stop(); });
  for (const char* name : {"", "task0"}) {
    while (CheckHealth(*server, name) != HealthAnswer::kNotServing) std::this_thread::yield();
  }
  // Who has not noticed yet is answered.
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  EXPECT_TRUE(Connect(*server)->Classify(&context, RawRequest("task0", 32, 32, 1), &response).ok());
  server->CutShort();
  stopper.join();
}

TEST_F(HealthTest, AStoreThatIsCutInPlaceEndsItAndAWholeOneBringsItBack) {
  ServerOptions options = OptionsFor(path_);
  options.view_budget_bytes = 0;  // Reads the store for every batch.
  options.watch_store = std::chrono::milliseconds(20);
  ASSERT_TRUE(SurviveMapFaults().ok());
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  const std::vector<uint8_t> whole = ReadBytes(path_);
  std::filesystem::resize_file(path_, whole.size() / 2);
  const auto classify = [&] {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    return stub->Classify(&context, RawRequest("task1", 32, 32, 1), &response).error_code();
  };
  EXPECT_EQ(classify(), grpc::UNAVAILABLE);
  while (CheckHealth(*server, "task1") != HealthAnswer::kNotServing) std::this_thread::yield();
  WriteBytes(path_ + ".new", whole);
  std::filesystem::rename(path_ + ".new", path_);
  while (CheckHealth(*server, "task1") != HealthAnswer::kServing) std::this_thread::yield();
  EXPECT_EQ(classify(), grpc::OK);
}

}  // namespace
}  // namespace bitplex::test
