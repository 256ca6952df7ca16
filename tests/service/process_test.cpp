// The programs as they are run: exit codes, the one line that a failure prints, and a clean stop.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/service/child_process.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Says what and where on one line, and exits with 1.
void ExpectStartFails(const std::vector<std::string>& arguments, const std::string& words) {
  ChildProcess server("bitplex-server", arguments);
  EXPECT_EQ(server.Wait(), 1);
  EXPECT_THAT(server.output(), AllOf(StartsWith("bitplex-server: "), HasSubstr(words)));
  EXPECT_EQ(std::count(server.output().begin(), server.output().end(), '\n'), 1) << server.output();
}

class BadStores : public ::testing::Test {
 protected:
  ~BadStores() override { std::remove(path_.c_str()); }
  const std::string path_ = TempPath("bad.bpx");
  const std::vector<uint8_t> good_ = ReadBytes(MakeStore("resnet10-tiny", {8, 8}));
  void ExpectRefused(const std::vector<uint8_t>& bytes, const std::string& words) {
    WriteBytes(path_, bytes);
    ExpectStartFails({"--store", path_, "--listen", "127.0.0.1:0"},
                     absl::StrCat(path_, ": ", words));
  }
};

TEST_F(BadStores, Missing) {
  ExpectStartFails({"--store", "/nowhere/at/all.bpx", "--listen", "127.0.0.1:0"},
                   "/nowhere/at/all.bpx");
}
TEST_F(BadStores, Empty) { ExpectRefused({}, "the file is empty"); }
TEST_F(BadStores, NotAStore) {
  ExpectRefused(std::vector<uint8_t>(1000, 'x'), "not a Bitplex store");
}
TEST_F(BadStores, Truncated) { ExpectRefused({good_.begin(), good_.end() - 1000}, ""); }
TEST_F(BadStores, Flipped) {
  std::vector<uint8_t> bytes = good_;
  bytes[bytes.size() / 2] ^= 0x10;
  ExpectRefused(bytes, "checksum of ");
}
TEST_F(BadStores, Newer) {
  std::vector<uint8_t> bytes = good_;
  bytes[8] = 2;
  ExpectRefused(bytes, "the store has format version 2, this build reads 1");
}

TEST(StartFails, WhenAnAddressNamesNoPort) {
  const std::string store = MakeStore("resnet10-tiny", {8});
  for (const char* option : {"--listen", "--admin-listen", "--metrics-listen"}) {
    for (const char* address : {"127.0.0.1", "127.0.0.1:99999", "50051"}) {
      ExpectStartFails({"--store", store, option, address}, absl::StrCat(option, " '", address));
    }
  }
}

// A shell variable that is not set must not turn protection off.
TEST(StartFails, WhenAFileNameIsEmpty) {
  const std::string store = MakeStore("resnet10-tiny", {8});
  const std::vector<std::string> server_with = {"--store", store, "--listen", "127.0.0.1:0"};
  for (std::vector<std::string> more : std::vector<std::vector<std::string>>{
           {"--token-file", ""},
           {"--tls-cert", "", "--tls-key", ""},
           {"--tls-client-ca", "", "--tls-cert", "c", "--tls-key", "k"},
           {"--admin-token-file", "", "--admin-listen", "127.0.0.1:0"},
           {"--admin-listen", ""},
           {"--metrics-listen", ""}}) {
    const std::string option = more.front();
    more.insert(more.begin(), server_with.begin(), server_with.end());
    ChildProcess server("bitplex-server", more);
    EXPECT_EQ(server.Wait(), 2) << option;
    EXPECT_THAT(server.output(), AllOf(StartsWith(option + ": "), HasSubstr("the value is empty")));
  }
}

TEST(StartFails, WhenThePortIsTaken) {
  const std::string store = MakeStore("resnet10-tiny", {8});
  const auto server = StartOrDie(OptionsFor(store));
  ExpectStartFails({"--store", store, "--listen", absl::StrCat("127.0.0.1:", server->port())},
                   absl::StrCat("cannot listen on 127.0.0.1:", server->port()));
}

TEST(StartFails, WhenThereIsNothingToServe) {
  ChildProcess server("bitplex-server", {});
  EXPECT_EQ(server.Wait(), 2);
  EXPECT_THAT(server.output(), HasSubstr("--store or --separate"));
}

int PortOf(ChildProcess& server) {
  EXPECT_TRUE(server.WaitFor(" executor=")) << server.output();
  const size_t at = server.output().find(" port=");
  return at == std::string::npos ? 0 : std::atoi(server.output().c_str() + at + 6);
}

class StopSignals : public ::testing::TestWithParam<int> {};

TEST_P(StopSignals, UnderLoadAnswerAllThatWasAdmittedAndExitWithZero) {
  ChildProcess server("bitplex-server",
                      {"--store", MakeStore("resnet10-tiny", {8, 8}), "--listen", "127.0.0.1:0"});
  const int port = PortOf(server);
  ASSERT_GT(port, 0);
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      const auto stub = v1::Classifier::NewStub(grpc::CreateChannel(
          absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
      for (;;) {
        grpc::ClientContext context;
        v1::ClassifyResponse response;
        const grpc::Status status =
            stub->Classify(&context, RawRequest(absl::StrCat("task", c % 2), 32, 32, 1), &response);
        if (status.ok()) {
          ++answered;
          continue;
        }
        // Refused, because it came too late; not cut off in the middle.
        EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
        if (status.error_code() != grpc::UNAVAILABLE) ++failed;
        return;
      }
    });
  }
  while (answered < 100 && failed == 0) std::this_thread::yield();
  server.Signal(GetParam());
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server.Wait(), 0) << server.output();
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(server.output(), AllOf(HasSubstr("stopping signal="), HasSubstr("info stopped")));
}

INSTANTIATE_TEST_SUITE_P(Both, StopSignals, ::testing::Values(SIGTERM, SIGINT),
                         [](const auto& test) {
                           return test.param == SIGTERM ? "SIGTERM" : "SIGINT";
                         });

TEST(Tool, RefusesWidthsOutOfRangeAndLeavesNoFile) {
  const std::string out = TempPath("never.bpx");
  for (const char* bits : {"0", "25", "-1", "twelve"}) {
    ChildProcess tool("bitplex", {"fuse", "--arch", "resnet18-cifar", "--out", out, "--task",
                                  absl::StrCat("cifar10=nothing.safetensors,bits=", bits)});
    EXPECT_EQ(tool.Wait(), 1);
    EXPECT_THAT(tool.output(), AllOf(StartsWith("bitplex: "), HasSubstr("1 to 24")));
  }
  EXPECT_TRUE(ReadBytes(out).empty());
}

TEST(Tool, VerifiesInspectsAndNamesDamage) {
  const std::string store = MakeStore("resnet10-tiny", {12, 11});
  ChildProcess verify("bitplex", {"verify", store});
  EXPECT_EQ(verify.Wait(), 0);
  EXPECT_THAT(verify.output(), HasSubstr(": good."));
  ChildProcess inspect("bitplex", {"inspect", store, "--json"});
  EXPECT_EQ(inspect.Wait(), 0);
  EXPECT_THAT(inspect.output(), HasSubstr("\"architecture\": \"resnet10-tiny\""));
  std::vector<uint8_t> bytes = ReadBytes(store);
  bytes.back() ^= 1;
  const std::string damaged = TempPath("damaged.bpx");
  WriteBytes(damaged, bytes);
  ChildProcess again("bitplex", {"verify", damaged});
  EXPECT_EQ(again.Wait(), 1);
  EXPECT_THAT(again.output(), HasSubstr("checksum"));
  std::remove(damaged.c_str());
}

}  // namespace
}  // namespace bitplex::test
