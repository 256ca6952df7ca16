#include "server/security/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <string>
#include <vector>

namespace bitplex {
namespace {

using SharedAuthorizer = std::shared_ptr<Authorizer>;

std::string_view ViewOf(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

void Authorize(void* state, grpc_auth_context*, const grpc_metadata* metadata, size_t count,
               grpc_process_auth_metadata_done_cb done, void* call) {
  std::string_view method;
  std::vector<std::string_view> authorization;
  for (const grpc_metadata* entry = metadata; entry != metadata + count; ++entry) {
    const std::string_view key = ViewOf(entry->key);
    if (key == ":path") method = ViewOf(entry->value);
    if (key == "authorization") authorization.push_back(ViewOf(entry->value));
  }
  const absl::Status status =
      (*static_cast<const SharedAuthorizer*>(state))->Check(method, authorization);
  if (status.ok()) {
    // Nothing is consumed: admission tells callers apart by their token.
    done(call, nullptr, 0, nullptr, 0, GRPC_STATUS_OK, nullptr);
  } else {
    done(call, nullptr, 0, nullptr, 0, static_cast<grpc_status_code>(status.code()),
         std::string(status.message()).c_str());
  }
}

void DeleteAuthorizer(void* state) { delete static_cast<SharedAuthorizer*>(state); }

grpc_server_credentials* MakeTls(Transport transport, TlsSource* tls) {
  return grpc_ssl_server_credentials_create_with_options(
      grpc_ssl_server_credentials_create_options_using_config_fetcher(
          transport == Transport::kMutualTls
              ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
              : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
          &TlsSource::Fetch, tls));
}

// Credentials of gRPC's core in the C++ API's form.
class CoreCredentials final : public grpc::ServerCredentials {
 public:
  // `make` runs once gRPC is initialised, which the base class sees to.
  template <class Make>
  explicit CoreCredentials(Make make) : credentials_(make()) {}
  ~CoreCredentials() override { grpc_server_credentials_release(credentials_); }
  CoreCredentials(const CoreCredentials&) = delete;
  CoreCredentials& operator=(const CoreCredentials&) = delete;

  // The authorizer is given at construction.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(Transport transport, TlsSource* tls,
                                                         std::shared_ptr<Authorizer> authorizer) {
  return std::make_shared<CoreCredentials>([&] {
    grpc_server_credentials* const credentials = transport == Transport::kPlaintext
                                                     ? grpc_insecure_server_credentials_create()
                                                     : MakeTls(transport, tls);
    if (authorizer != nullptr) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials, {&Authorize, &DeleteAuthorizer, new SharedAuthorizer(authorizer)});
    }
    return credentials;
  });
}

}  // namespace bitplex
