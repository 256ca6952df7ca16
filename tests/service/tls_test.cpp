// The real server over TLS: who can connect, and what a renewal of its files changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/service/security_fixture.h"

namespace bitplex::test {
namespace {

class TlsServer : public ::testing::Test {
 protected:
  void Start(const SecurityOptions& options) { server_ = StartSecured(options); }
  void Reload() { server_->security().Reload(absl::Now()); }

  // Of a call over a new connection.
  Outcome With(const Identity& authority, const Identity* identity = nullptr) {
    return Call(DialTls(server_->port(), authority, identity));
  }
  void ExpectAnswered(const Identity* identity = nullptr) {
    const Outcome outcome = With(files_.authority, identity);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  }
  void ExpectNoConnection(const Outcome& outcome) {
    EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome.status.error_message();
  }
  std::string ShownName() { return With(files_.authority).server_name; }

  const SecurityFiles files_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsServer, AnswersThoseWhoTrustItsAuthority) {
  Start(files_.Tls());
  const auto stub = v1::Classifier::NewStub(DialTls(server_->port(), files_.authority));
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status = stub->Classify(&context, RawRequest("task0", 32, 32, 1), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.task(), "task0");
}

TEST_F(TlsServer, IsNotTrustedByOthersAndSpeaksNoPlaintext) {
  Start(files_.Tls());
  ExpectNoConnection(With(files_.stranger));
  ExpectNoConnection(Call(DialPlain(server_->port())));
  ExpectAnswered();
}

TEST_F(TlsServer, WithClientCertificatesAnswersThoseOfItsAuthorityOnly) {
  Start(files_.MutualTls());
  ExpectAnswered(&files_.client);
  ExpectNoConnection(With(files_.authority));
  const Identity foreign = MakeIdentity(files_.stranger, {.name = "client"});
  ExpectNoConnection(With(files_.authority, &foreign));
  // Of the same name as the authority, but not signed by it.
  const Identity impostor = MakeAuthority({.name = "authority"});
  const Identity forged = MakeIdentity(impostor, {.name = "client"});
  ExpectNoConnection(With(files_.authority, &forged));
  const Identity old =
      MakeIdentity(files_.authority, {.name = "client", .begin_days = -9, .end_days = -1});
  ExpectNoConnection(With(files_.authority, &old));
  ExpectAnswered(&files_.client);
}

TEST_F(TlsServer, TakesUpARenewedPairForNewConnectionsAndKeepsOldOnes) {
  Start(files_.Tls());
  const auto before = DialTls(server_->port(), files_.authority);
  EXPECT_EQ(Call(before).server_name, "server 1");
  for (const char* name : {"server 2", "server 3"}) {
    files_.WritePair(MakeIdentity(files_.authority, {.name = name}));
    Reload();
    EXPECT_EQ(ShownName(), name);
    EXPECT_EQ(ShownName(), name);
  }
  const Outcome outcome = Call(before);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.server_name, "server 1");
}

TEST_F(TlsServer, TakesUpANewAuthorityOfItsClients) {
  Start(files_.MutualTls());
  const Identity foreign = MakeIdentity(files_.stranger, {.name = "client"});
  files_.folder.Write("ca.pem", files_.stranger.certificate_pem);
  Reload();
  ExpectAnswered(&foreign);
  ExpectNoConnection(With(files_.authority, &files_.client));
}

TEST_F(TlsServer, KeepsThePairInUseWhenARenewalIsBad) {
  Start(files_.Tls());
  const Identity second = MakeIdentity(files_.authority, {.name = "server 2"});
  const Identity old =
      MakeIdentity(files_.authority, {.name = "old", .begin_days = -9, .end_days = -1});
  const std::vector<std::pair<std::string, std::string>> bad = {
      {second.certificate_pem, files_.server.key_pem},  // Half a renewal, either half.
      {files_.server.certificate_pem, second.key_pem},
      {"", ""},
      {second.certificate_pem.substr(0, 300), second.key_pem},
      {second.certificate_pem, second.EncryptedKeyPem("sesame")},
      {old.certificate_pem, old.key_pem}};
  for (const auto& [certificate, key] : bad) {
    files_.folder.Write("cert.pem", certificate);
    files_.folder.Write("key.pem", key);
    Reload();
    EXPECT_EQ(ShownName(), "server 1");
  }
  std::filesystem::remove(files_.folder.Path("key.pem"));
  Reload();
  EXPECT_EQ(ShownName(), "server 1");
  files_.WritePair(second);
  Reload();
  EXPECT_EQ(ShownName(), "server 2");
}

TEST_F(TlsServer, TakesUpAPairOnceItIsValid) {
  Start(files_.Tls());
  files_.WritePair(MakeIdentity(files_.authority, {.name = "server 2", .begin_days = 1}));
  Reload();
  EXPECT_EQ(ShownName(), "server 1");
  server_->security().Reload(absl::Now() + absl::Hours(25));
  // Its clients' clocks say otherwise.
  ExpectNoConnection(With(files_.authority));
}

TEST_F(TlsServer, TakesUpRenewalsWhileConnectionsCome) {
  Start(files_.Tls());
  const std::array<Identity, 2> pairs = {files_.server,
                                         MakeIdentity(files_.authority, {.name = "server 2"})};
  std::atomic<bool> stop{false};
  std::vector<std::thread> clients;
  for (int c = 0; c < 2; ++c) {
    clients.emplace_back([&] {
      while (!stop) ExpectAnswered();
    });
  }
  for (int round = 0; round < 50; ++round) {
    files_.WritePair(pairs[static_cast<size_t>(round) % 2]);
    Reload();
    ExpectAnswered();
  }
  stop = true;
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace bitplex::test
