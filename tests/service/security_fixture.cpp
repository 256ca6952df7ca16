#include "tests/service/security_fixture.h"

#include <grpcpp/generic/generic_stub.h>

#include <future>

#include "absl/strings/str_cat.h"

namespace bitplex::test {
namespace {

std::shared_ptr<grpc::Channel> Dial(int port,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port), credentials, arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> DialPlain(int port) {
  return Dial(port, grpc::InsecureChannelCredentials());
}

std::shared_ptr<grpc::Channel> DialTls(int port, const Identity& authority,
                                       const Identity* identity) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority.certificate_pem;
  if (identity != nullptr) {
    options.pem_cert_chain = identity->certificate_pem;
    options.pem_private_key = identity->key_pem;
  }
  return Dial(port, grpc::SslCredentials(options));
}

Outcome Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& authorization,
             const std::string& method, size_t bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
  const grpc::Slice slice(std::string(bytes, '\0'));
  grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });
  Outcome outcome{done.get_future().get(), ""};
  if (const auto peer = context.auth_context()) {
    for (const grpc::string_ref& name : peer->FindPropertyValues("x509_common_name"))
      outcome.server_name.assign(name.data(), name.size());
  }
  return outcome;
}

void SecurityFiles::WritePair(const Identity& identity) const {
  folder.Write("cert.pem", identity.certificate_pem);
  folder.Write("key.pem", identity.key_pem);
}

SecurityOptions SecurityFiles::Tls() const {
  WritePair(server);
  SecurityOptions options;
  options.tls_cert = folder.Path("cert.pem");
  options.tls_key = folder.Path("key.pem");
  return options;
}

SecurityOptions SecurityFiles::MutualTls() const {
  SecurityOptions options = Tls();
  options.tls_client_ca = folder.Write("ca.pem", authority.certificate_pem);
  return options;
}

std::unique_ptr<Server> StartSecured(SecurityOptions security) {
  ServerOptions options = OptionsFor(MakeStore("resnet10-tiny", {8}));
  security.reload_interval = std::chrono::hours(24);
  options.security = std::move(security);
  return StartOrDie(options);
}

}  // namespace bitplex::test
