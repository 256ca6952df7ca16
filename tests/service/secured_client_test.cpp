// bitplex-client with servers that ask for certificates and tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/service/child_process.h"
#include "tests/service/security_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

class SecuredClient : public ::testing::Test {
 protected:
  SecuredClient() {
    SecurityOptions options = files_.MutualTls();
    options.token_file =
        files_.WriteTokens("# a comment\n\ntoken-of-this-test\nanother-token-of-it");
    server_ = StartSecured(options);
    address_ = absl::StrCat("127.0.0.1:", server_->port());
  }

  void Expect(std::vector<std::string> arguments, int code, const std::string& words) {
    if (arguments.empty() || arguments[0] != "--server")
      arguments.insert(arguments.begin(), {"--server", address_});
    ChildProcess client("bitplex-client", arguments);
    EXPECT_EQ(client.Wait(), code);
    EXPECT_THAT(client.output(), HasSubstr(words));
  }
  // `without` of these options is left out.
  std::vector<std::string> All(const std::string& without, std::vector<std::string> command) {
    const std::vector<std::pair<std::string, std::string>> options = {
        {"--tls-ca", files_.folder.Write("server_ca.pem", files_.authority.certificate_pem)},
        {"--tls-cert", files_.folder.Write("client.pem", files_.client.certificate_pem)},
        {"--tls-key", files_.folder.Write("client_key.pem", files_.client.key_pem)},
        {"--token-file", files_.folder.Path("tokens")}};
    for (const auto& [name, value] : options) {
      if (!absl::StrContains(without, name)) command.insert(command.end(), {name, value});
    }
    return command;
  }

  const SecurityFiles files_;
  std::unique_ptr<Server> server_;
  std::string address_;
};

TEST_F(SecuredClient, IsAnsweredByUnaryCallsAndStreams) {
  Expect(All("", {"tasks"}), 0, "task0");
  const std::string image = files_.folder.Path("image.png");
  ASSERT_TRUE(cv::imwrite(image, cv::Mat(32, 32, CV_8UC3, cv::Scalar(1, 2, 3))));
  Expect(All("", {"classify", "--task", "task0", image}), 0, "image.png");
  Expect(All("", {"classify", "--task", "task0", image, image, image}), 0, "image.png");
}

TEST_F(SecuredClient, SaysWhatIsMissing) {
  Expect(All("--token-file", {"tasks"}), 1, "UNAUTHENTICATED");
  Expect(All("--token-file", {"tasks"}), 1, "--token-file FILE");
  Expect(All("--tls-cert --tls-key", {"tasks"}), 1, "UNAVAILABLE");
  Expect(All("--tls-ca --tls-cert --tls-key", {"tasks"}), 1, "A server with TLS needs --tls-ca");
  Expect(All("--tls-ca", {"tasks"}), 1, "--tls-cert needs TLS");
  Expect(All("--tls-key", {"tasks"}), 2, "--tls-key");
}

TEST_F(SecuredClient, TrustsNoOtherServer) {
  std::vector<std::string> arguments = All("--tls-ca", {"tasks"});
  arguments.insert(arguments.end(),
                   {"--tls-ca", files_.folder.Write("x.pem", files_.stranger.certificate_pem)});
  Expect(arguments, 1, "--tls-ca who signed it");
  arguments.back() = files_.folder.Write("x.pem", "not PEM");
  Expect(arguments, 1, "UNAVAILABLE");
  arguments.back() = files_.folder.Path("missing.pem");
  Expect(arguments, 1, "missing.pem: cannot read it");
}

TEST_F(SecuredClient, RefusesBadFilesOfItsOwn) {
  const std::vector<std::string> arguments = All("", {"tasks"});
  files_.folder.Write("client_key.pem", files_.server.key_pem);
  Expect(arguments, 1, "not the key of the certificate");
  files_.folder.Write("client_key.pem", files_.client.key_pem);
  files_.WriteTokens("short");
  Expect(arguments, 1, "fewer than 16");
}

TEST_F(SecuredClient, SendsNoTokenUnencryptedToAnotherMachine) {
  // An address that is set aside for documentation: nothing is there.
  Expect({"--server", "192.0.2.1:50051", "tasks", "--token-file", files_.folder.Path("tokens")}, 1,
         "unencrypted");
}

}  // namespace
}  // namespace bitplex::test
