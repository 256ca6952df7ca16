#include "client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "server/security/address.h"
#include "server/security/tls_material.h"
#include "server/security/token_set.h"

namespace bitplex {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// gRPC's own credentials for calls refuse plaintext, which a server on this host may well speak.
class AddToken final : public Interceptor {
 public:
  explicit AddToken(const std::string& authorization) : authorization_(authorization) {}
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA))
      methods->GetSendInitialMetadata()->insert({"authorization", authorization_});
    methods->Proceed();
  }

 private:
  const std::string& authorization_;
};

class AddTokenFactory final : public ClientInterceptorFactoryInterface {
 public:
  explicit AddTokenFactory(const std::string& token) : authorization_("Bearer " + token) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override {
    return new AddToken(authorization_);
  }

 private:
  const std::string authorization_;
};

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  const absl::StatusOr<SecretFile> file = ReadSecretFile(path, "--token-file");
  if (!file.ok()) return file.status();
  const absl::string_view text(file->content.text().data(), file->content.text().size());
  if (auto set = TokenSet::Parse(file->content.text(), absl::StrCat("--token-file ", path));
      !set.ok()) {
    return set.status();
  }
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view token = absl::StripAsciiWhitespace(line);
    if (!token.empty() && token.front() != '#') return std::string(token);
  }
  return absl::InternalError("--token-file: a token was there, and is gone");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const ClientSecurity& security) {
  if (!security.uses_tls()) {
    if (security.tls_cert.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("--tls-cert needs TLS: give --tls-ca, or --tls, too");
  }
  grpc::SslCredentialsOptions options;
  if (!security.tls_ca.empty()) {
    const absl::StatusOr<SecretFile> ca = ReadSecretFile(security.tls_ca, "--tls-ca");
    if (!ca.ok()) return ca.status();
    options.pem_root_certs = std::string(ca->content.text());
  }
  if (!security.tls_cert.empty()) {
    const TlsFiles files{security.tls_cert, security.tls_key, ""};
    const absl::StatusOr<TlsMaterial> material = ReadTls(files);
    if (!material.ok()) return material.status();
    const absl::StatusOr<absl::Time> expiry = CheckTls(*material, files, absl::Now());
    if (!expiry.ok()) return expiry.status();
    options.pem_cert_chain = std::string(material->certificate.text());
    options.pem_private_key = std::string(material->key.text());
  }
  return grpc::SslCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& server, const ClientSecurity& security,
    const grpc::ChannelArguments& arguments) {
  // Names in other schemes are gRPC's to read.
  if (!NamesAPort(server) && !absl::StrContains(server, ":/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--server '", server, "': give HOST:PORT, with a port of 0 to 65535, or unix:PATH"));
  }
  const auto credentials = MakeCredentials(security);
  if (!credentials.ok()) return credentials.status();
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> interceptors;
  if (!security.token_file.empty()) {
    if (!security.uses_tls() && !StaysOnThisHost(server) && !security.insecure) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the token would go to ", server,
          " unencrypted, for others to read; give --tls or --tls-ca, or --insecure if the network "
          "is protected by other means"));
    }
    const absl::StatusOr<std::string> token = ReadToken(security.token_file);
    if (!token.ok()) return token.status();
    interceptors.push_back(std::make_unique<AddTokenFactory>(*token));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(server, *credentials, arguments,
                                                                 std::move(interceptors));
}

}  // namespace bitplex
