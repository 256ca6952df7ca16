// The real server with tokens: which calls it answers, over plaintext and TLS alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "tests/service/security_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

constexpr char kFirst[] = "first-token-of-the-test";
constexpr char kSecond[] = "second-token-of-the-test";
constexpr char kListTasks[] = "/bitplex.v1.Classifier/ListTasks";

std::string Bearer(const std::string& token) { return "Bearer " + token; }

class TokenServer : public ::testing::TestWithParam<Transport> {
 protected:
  TokenServer() {
    SecurityOptions options;
    if (GetParam() == Transport::kTls) options = files_.Tls();
    if (GetParam() == Transport::kMutualTls) options = files_.MutualTls();
    options.token_file = files_.WriteTokens(kFirst);
    server_ = StartSecured(options);
    channel_ = GetParam() == Transport::kPlaintext
                   ? DialPlain(server_->port())
                   : DialTls(server_->port(), files_.authority, &files_.client);
  }
  grpc::StatusCode CodeOf(const std::string& authorization, const std::string& method = kListTasks,
                          size_t bytes = 0) {
    return Call(channel_, authorization, method, bytes).status.error_code();
  }
  void Reload() { server_->security().Reload(absl::Now()); }

  const SecurityFiles files_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_P(TokenServer, AnswersCallsWithATokenAndTellsOthersWhatIsMissing) {
  EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::OK);
  EXPECT_EQ(CodeOf(Bearer(kSecond)), grpc::UNAUTHENTICATED);
  EXPECT_EQ(CodeOf(kFirst), grpc::UNAUTHENTICATED);
  const grpc::Status status = Call(channel_).status;
  EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("authorization: Bearer TOKEN"));
  EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::OK);
}

TEST_P(TokenServer, GuardsEveryMethodButHealthChecks) {
  EXPECT_EQ(CodeOf("", "/grpc.health.v1.Health/Check"), grpc::OK);
  for (const char* method :
       {"/bitplex.v1.Classifier/Classify", "/bitplex.v1.Classifier/ClassifyStream",
        "/bitplex.v1.Classifier/GetMemory", "/bitplex.v1.Classifier/NoSuchMethod",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/no.such.Service/At"}) {
    EXPECT_EQ(CodeOf("", method), grpc::UNAUTHENTICATED) << method;
    EXPECT_NE(CodeOf(Bearer(kFirst), method), grpc::UNAUTHENTICATED) << method;
  }
  EXPECT_EQ(CodeOf(Bearer(kFirst), "/bitplex.v1.Classifier/NoSuchMethod"), grpc::UNIMPLEMENTED);
}

// Too large a message is refused when it is read; without a token it is not read.
TEST_P(TokenServer, RefusesBeforeItReadsTheMessage) {
  constexpr size_t kTooLarge = size_t{80} << 20;
  EXPECT_EQ(CodeOf(Bearer(kFirst), kListTasks, kTooLarge), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(CodeOf("", kListTasks, kTooLarge), grpc::UNAUTHENTICATED);
}

TEST_P(TokenServer, GuardsStreams) {
  const auto stub = v1::Classifier::NewStub(channel_);
  for (const bool good : {false, true}) {
    grpc::ClientContext context;
    if (good) context.AddMetadata("authorization", Bearer(kFirst));
    const auto stream = stub->ClassifyStream(&context);
    stream->Write(RawRequest("task0", 32, 32, 1));
    stream->WritesDone();
    v1::ClassifyStreamResponse response;
    EXPECT_EQ(stream->Read(&response), good);
    EXPECT_EQ(stream->Finish().error_code(), good ? grpc::OK : grpc::UNAUTHENTICATED);
  }
}

TEST_P(TokenServer, FollowsTheFile) {
  files_.WriteTokens(std::string(kFirst) + "\n" + kSecond);
  EXPECT_EQ(CodeOf(Bearer(kSecond)), grpc::UNAUTHENTICATED);
  Reload();
  EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::OK);
  EXPECT_EQ(CodeOf(Bearer(kSecond)), grpc::OK);
  files_.WriteTokens(kSecond);
  Reload();
  EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::UNAUTHENTICATED);
  EXPECT_EQ(CodeOf(Bearer(kSecond)), grpc::OK);
}

TEST_P(TokenServer, KeepsTheTokensInUseWhenTheFileTurnsBad) {
  for (const std::string& text : {std::string(), std::string("short"), std::string(kSecond) + " x",
                                  std::string(2 << 20, 'x')}) {
    files_.WriteTokens(text);
    Reload();
    EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::OK);
    EXPECT_EQ(CodeOf(Bearer(kSecond)), grpc::UNAUTHENTICATED);
  }
  std::filesystem::remove(files_.folder.Path("tokens"));
  Reload();
  EXPECT_EQ(CodeOf(Bearer(kFirst)), grpc::OK);
}

INSTANTIATE_TEST_SUITE_P(Transports, TokenServer,
                         ::testing::Values(Transport::kPlaintext, Transport::kTls,
                                           Transport::kMutualTls),
                         [](const auto& test) -> std::string {
                           if (test.param == Transport::kPlaintext) return "Plaintext";
                           return test.param == Transport::kTls ? "Tls" : "MutualTls";
                         });

TEST(TokenReload, HappensByItself) {
  const SecurityFiles files;
  ServerOptions options = OptionsFor(MakeStore("resnet10-tiny", {8}));
  options.security.token_file = files.WriteTokens(kFirst);
  options.security.reload_interval = std::chrono::milliseconds(5);
  const auto server = StartOrDie(options);
  const auto channel = DialPlain(server->port());
  ASSERT_EQ(Call(channel, Bearer(kSecond)).status.error_code(), grpc::UNAUTHENTICATED);
  files.WriteTokens(kSecond);
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!Call(channel, Bearer(kSecond)).status.ok() && absl::Now() < deadline) {
  }
  EXPECT_TRUE(Call(channel, Bearer(kSecond)).status.ok());
}

}  // namespace
}  // namespace bitplex::test
