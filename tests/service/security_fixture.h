// A server that asks for certificates and tokens, and clients that have them or not.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "server/app/server.h"
#include "tests/security/certificates.h"
#include "tests/security/temporary_folder.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {

// A connection of its own to a port of 127.0.0.1, opened by the first call.
std::shared_ptr<grpc::Channel> DialPlain(int port);

// The same with TLS. `authority` vouches for the server; `identity` is the client's, or null.
std::shared_ptr<grpc::Channel> DialTls(int port, const Identity& authority,
                                       const Identity* identity = nullptr);

// The outcome of one call of `method`, such as /bitplex.v1.Classifier/ListTasks, with a message of
// `bytes` zeros. `authorization` is sent as metadata unless it is empty.
struct Outcome {
  grpc::Status status;
  std::string server_name;  // The common name in the server's certificate.
};
Outcome Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization = "",
             const std::string& method = "/bitplex.v1.Classifier/ListTasks", size_t bytes = 0);

// Files of certificates and tokens, and options for a server that uses them all.
class SecurityFiles {
 public:
  void WritePair(const Identity& identity) const;
  std::string WriteTokens(const std::string& text) const { return folder.Write("tokens", text); }
  SecurityOptions Tls() const;
  SecurityOptions MutualTls() const;

  const TemporaryFolder folder;
  const Identity authority = MakeAuthority({.name = "authority"});
  const Identity stranger = MakeAuthority({.name = "stranger"});
  const Identity server = MakeIdentity(authority, {.name = "server 1"});
  const Identity client = MakeIdentity(authority, {.name = "client"});
};

// Its files are read again only when a test asks for it.
std::unique_ptr<Server> StartSecured(SecurityOptions security);

}  // namespace bitplex::test
