// The program with options of security: what it refuses to start with, and what it never prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/service/child_process.h"
#include "tests/service/security_fixture.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> WithStore(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--store", MakeStore("resnet10-tiny", {8})});
  return arguments;
}

void ExpectStartFails(const std::vector<std::string>& arguments, int code,
                      const std::string& words) {
  ChildProcess server("bitplex-server", WithStore(arguments));
  EXPECT_EQ(server.Wait(), code);
  EXPECT_THAT(server.output(), HasSubstr(words));
}

TEST(SecureStart, IsRefusedWhereOthersCanListen) {
  ExpectStartFails({"--listen", "0.0.0.0:0"}, 1, "or say --insecure");
  ExpectStartFails({"--listen", "[::]:0"}, 1, "or say --insecure");
  const SecurityFiles files;
  ExpectStartFails({"--listen", "0.0.0.0:0", "--token-file", files.WriteTokens("0123456789abcdef")},
                   1, "read the tokens");
}

TEST(SecureStart, IsRefusedWithOptionsThatDoNotFit) {
  const SecurityFiles files;
  const SecurityOptions tls = files.Tls();
  ExpectStartFails({"--tls-cert", tls.tls_cert}, 2, "--tls-key");
  ExpectStartFails({"--tls-client-ca", tls.tls_cert}, 2, "--tls-cert");
  ExpectStartFails({"--tls-cert", tls.tls_cert, "--tls-key", tls.tls_key, "--insecure"}, 2,
                   "--insecure");
}

TEST(SecureStart, IsRefusedWithBadFiles) {
  const SecurityFiles files;
  const SecurityOptions tls = files.Tls();
  files.folder.Write("key.pem", files.client.key_pem);
  ExpectStartFails({"--tls-cert", tls.tls_cert, "--tls-key", tls.tls_key}, 1,
                   tls.tls_key + ": not the key of the certificate");
  ExpectStartFails({"--token-file", files.folder.Path("missing")}, 1, "No such file");
  ExpectStartFails({"--token-file", files.WriteTokens("# none\n")}, 1, "no token in it");
}

int PortOf(ChildProcess& server) {
  EXPECT_TRUE(server.WaitFor(" executor=")) << server.output();
  const size_t at = server.output().find(" port=");
  return at == std::string::npos ? 0 : std::atoi(server.output().c_str() + at + 6);
}

TEST(SecureStart, InsecureListensAnywhereWithAWarning) {
  ChildProcess server("bitplex-server", WithStore({"--listen", "0.0.0.0:0", "--insecure"}));
  EXPECT_TRUE(Call(DialPlain(PortOf(server))).status.ok());
  EXPECT_THAT(server.output(), HasSubstr("warning insecure listen=\"0.0.0.0:0\""));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

// Everything that happens to secrets happens here, with all that gRPC can say about it.
TEST(Secrets, AreInNoLogAtAnyLevel) {
  ASSERT_EQ(setenv("GRPC_VERBOSITY", "debug", 1), 0);
  ASSERT_EQ(setenv("GRPC_TRACE", "all", 1), 0);
  const SecurityFiles files;
  const SecurityOptions tls = files.MutualTls();
  const std::string tokens = files.WriteTokens("known-to-the-server-secret\n");
  ASSERT_EQ(chmod(tokens.c_str(), 0644), 0);
  ChildProcess server("bitplex-server",
                      WithStore({"--tls-cert", tls.tls_cert, "--tls-key", tls.tls_key,
                                 "--tls-client-ca", tls.tls_client_ca, "--token-file", tokens,
                                 "--listen", "127.0.0.1:0", "--log-level", "debug"}));
  unsetenv("GRPC_TRACE");
  unsetenv("GRPC_VERBOSITY");
  const auto channel = DialTls(PortOf(server), files.authority, &files.client);
  EXPECT_TRUE(Call(channel, "Bearer known-to-the-server-secret").status.ok());
  EXPECT_FALSE(Call(channel, "Bearer made-up-by-the-client-secret").status.ok());
  files.WriteTokens("another-secret and-a-fault-secret\n");
  EXPECT_TRUE(server.WaitFor("reload_refused what=tokens")) << server.output();
  files.WriteTokens("another-secret-of-the-server\nyet-another-secret\n");
  EXPECT_TRUE(server.WaitFor("tokens=2\n")) << server.output();
  files.folder.Write("key.pem", files.client.key_pem);
  EXPECT_TRUE(server.WaitFor("reload_refused what=certificate")) << server.output();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_THAT(server.output(), HasSubstr("secret_file_open"));
  EXPECT_THAT(server.output(), HasSubstr("refused_unauthenticated calls="));
  EXPECT_THAT(server.output(), Not(HasSubstr("-secret")));
  EXPECT_THAT(server.output(), Not(HasSubstr("PRIVATE KEY")));
  for (const Identity* identity : {&files.server, &files.client}) {
    for (const absl::string_view line : absl::StrSplit(identity->key_pem, '\n')) {
      if (line.size() <= 8) continue;
      EXPECT_FALSE(absl::StrContains(server.output(), line)) << line;
    }
  }
}

}  // namespace
}  // namespace bitplex::test
