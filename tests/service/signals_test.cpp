// What signals do to the program: reload, drain, and a drain that is cut short.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/service/child_process.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

class SignalsTest : public ::testing::Test {
 protected:
  SignalsTest() {
    std::filesystem::copy_file(MakeStore("resnet10-tiny", {8, 8}), path_,
                               std::filesystem::copy_options::overwrite_existing);
  }
  ~SignalsTest() override { std::filesystem::remove(path_); }

  const std::string path_ = TempPath("signals.bpx");
};

TEST_F(SignalsTest, HangUpReloads) {
  ChildProcess server("bitplex-server", {"--store", path_, "--listen", "127.0.0.1:0"});
  ASSERT_TRUE(server.WaitFor(" executor="));
  std::filesystem::rename(MakeStore("resnet10-tiny", {7, 7, 7}), path_);
  server.Signal(SIGHUP);
  EXPECT_TRUE(server.WaitFor("reloaded reason=\"SIGHUP\" changed=true")) << server.output();
  EXPECT_TRUE(server.WaitFor("added=\"task2\"")) << server.output();
  std::filesystem::remove(path_);
  server.Signal(SIGHUP);
  EXPECT_TRUE(server.WaitFor("reload_failed reason=\"SIGHUP\"")) << server.output();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.output();
}

TEST_F(SignalsTest, ASecondOneEndsTheDrainDelay) {
  ChildProcess server("bitplex-server",
                      {"--store", path_, "--listen", "127.0.0.1:0", "--drain-delay-ms", "3600000"});
  ASSERT_TRUE(server.WaitFor(" executor="));
  server.Signal(SIGTERM);
  ASSERT_TRUE(server.WaitFor("stopping signal=")) << server.output();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.output();
  EXPECT_THAT(server.output(), HasSubstr("cut_short signal="));
}

// The pages of the file are gone: reading them would end the process.
TEST_F(SignalsTest, ATruncatedStoreDoesNotEndTheProcess) {
  ChildProcess server("bitplex-server",
                      {"--store", path_, "--listen", "127.0.0.1:0", "--view-budget-mib", "0"});
  ASSERT_TRUE(server.WaitFor(" executor="));
  const size_t at = server.output().find(" port=");
  const int port = std::atoi(server.output().c_str() + at + 6);
  std::filesystem::resize_file(path_, 4096);
  const auto stub = v1::Classifier::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    const grpc::Status status = stub->Classify(&context, RawRequest("task0", 32, 32, 1), &response);
    EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("changed in place"));
  }
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0) << server.output();
}

}  // namespace
}  // namespace bitplex::test
