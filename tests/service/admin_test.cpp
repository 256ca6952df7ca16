// Administrative calls, on a listener of their own.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "bitplex/v1/admin.grpc.pb.h"
#include "server/app/server.h"
#include "tests/service/child_process.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdminTest : public ::testing::Test {
 protected:
  AdminTest() {
    std::filesystem::copy_file(MakeStore("resnet10-tiny", {8, 8}), path_,
                               std::filesystem::copy_options::overwrite_existing);
    options_ = OptionsFor(path_);
    options_.admin_listen = "127.0.0.1:0";
  }
  ~AdminTest() override { std::filesystem::remove(path_); }

  static std::unique_ptr<v1::Admin::Stub> ConnectTo(int port) {
    return v1::Admin::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }

  const std::string path_ = TempPath("admin.bpx");
  ServerOptions options_;
};

TEST_F(AdminTest, ReloadSaysWhatChanged) {
  const auto server = StartOrDie(options_);
  const auto admin = ConnectTo(server->admin_port());
  v1::ReloadResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(admin->Reload(&context, {}, &response).ok());
    EXPECT_FALSE(response.changed());
  }
  std::filesystem::rename(MakeStore("resnet10-tiny", {7, 7, 7}), path_);
  grpc::ClientContext context;
  ASSERT_TRUE(admin->Reload(&context, {}, &response).ok());
  EXPECT_TRUE(response.changed());
  EXPECT_THAT(response.added(), ElementsAre("task2"));
  EXPECT_EQ(response.version(), server->engine()->set().store->id());
}

TEST_F(AdminTest, ReloadOfABadStoreNamesTheFault) {
  const auto server = StartOrDie(options_);
  WriteBytes(path_ + ".new", std::vector<uint8_t>(1000, 'x'));
  std::filesystem::rename(path_ + ".new", path_);
  grpc::ClientContext context;
  v1::ReloadResponse response;
  const grpc::Status status = ConnectTo(server->admin_port())->Reload(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::DATA_LOSS);
  EXPECT_THAT(status.error_message(), HasSubstr("not a Bitplex store"));
}

TEST_F(AdminTest, EvictGivesViewsBack) {
  options_.warm_up = true;
  const auto server = StartOrDie(options_);
  const auto admin = ConnectTo(server->admin_port());
  const uint64_t held = server->engine()->Memory().view_bytes;
  EXPECT_GT(held, 0u);
  v1::EvictRequest one;
  one.set_task("task1");
  v1::EvictResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(admin->Evict(&context, one, &response).ok());
    EXPECT_EQ(server->engine()->Memory().view_bytes, held - response.freed_bytes());
  }
  {
    grpc::ClientContext context;
    ASSERT_TRUE(admin->Evict(&context, {}, &response).ok());
    EXPECT_EQ(server->engine()->Memory().view_bytes, 0u);
  }
  one.set_task("nobody");
  grpc::ClientContext context;
  EXPECT_EQ(admin->Evict(&context, one, &response).error_code(), grpc::NOT_FOUND);
}

TEST_F(AdminTest, TheClientReloadsAndEvicts) {
  options_.warm_up = true;
  const auto server = StartOrDie(options_);
  const std::string address = absl::StrCat("127.0.0.1:", server->admin_port());
  const auto run = [](const std::vector<std::string>& arguments) {
    ChildProcess client("bitplex-client", arguments);
    EXPECT_EQ(client.Wait(), 0) << client.output();
    return client.output();
  };
  EXPECT_THAT(run({"--server", address, "reload"}), HasSubstr("Nothing new"));
  EXPECT_THAT(run({"--server", address, "evict"}), HasSubstr("MB were given back."));
  EXPECT_EQ(server->engine()->Memory().view_bytes, 0u);
  std::filesystem::rename(MakeStore("resnet10-tiny", {7}), path_);
  EXPECT_THAT(run({"--server", address, "reload"}), HasSubstr("No longer served: task1"));
  ChildProcess wrong("bitplex-client",
                     {"--server", absl::StrCat("127.0.0.1:", server->port()), "reload"});
  EXPECT_EQ(wrong.Wait(), 1);
  EXPECT_THAT(wrong.output(), HasSubstr("--admin-listen"));
  ChildProcess reversed("bitplex-client", {"--server", address, "tasks"});
  EXPECT_EQ(reversed.Wait(), 1);
  EXPECT_THAT(reversed.output(), HasSubstr("must name its --listen"));
}

TEST_F(AdminTest, IsNotOnThePortOfTheOthers) {
  const auto server = StartOrDie(options_);
  grpc::ClientContext context;
  v1::ReloadResponse response;
  EXPECT_EQ(ConnectTo(server->port())->Reload(&context, {}, &response).error_code(),
            grpc::UNIMPLEMENTED);
}

TEST_F(AdminTest, AsksForItsOwnToken) {
  options_.admin_token_file = TempPath("admin_tokens");
  std::ofstream(options_.admin_token_file) << "the-operators-own-token\n";
  std::filesystem::permissions(options_.admin_token_file, std::filesystem::perms::owner_read);
  const auto server = StartOrDie(options_);
  const auto admin = ConnectTo(server->admin_port());
  v1::ReloadResponse response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(admin->Reload(&context, {}, &response).error_code(), grpc::UNAUTHENTICATED);
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer the-operators-own-token");
  EXPECT_TRUE(admin->Reload(&context, {}, &response).ok());
  std::filesystem::remove(options_.admin_token_file);
}

TEST_F(AdminTest, FaultsOfItsTokenFileNameItsOption) {
  options_.admin_token_file = TempPath("no_admin_tokens");
  EXPECT_THAT(Server::Start(options_).status().ToString(),
              HasSubstr(absl::StrCat("--admin-token-file ", options_.admin_token_file)));
  std::ofstream(options_.admin_token_file) << "# none yet\n";
  std::filesystem::permissions(options_.admin_token_file, std::filesystem::perms::owner_read);
  EXPECT_THAT(Server::Start(options_).status().ToString(),
              HasSubstr(absl::StrCat("--admin-token-file ", options_.admin_token_file)));
  std::filesystem::remove(options_.admin_token_file);
}

TEST_F(AdminTest, MustNotBeReachedByOthersWithoutTlsAndToken) {
  options_.admin_listen = "0.0.0.0:0";
  const auto server = Server::Start(options_);
  EXPECT_TRUE(absl::IsInvalidArgument(server.status()));
  EXPECT_THAT(server.status().ToString(), HasSubstr("--admin-token-file"));
}

}  // namespace
}  // namespace bitplex::test
