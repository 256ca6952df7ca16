#include "server/security/tls_source.h"

namespace bitplex {

void TlsSource::Offer(TlsMaterial material) {
  const std::lock_guard lock(mutex_);
  offered_ = std::move(material);
}

grpc_ssl_certificate_config_reload_status TlsSource::Fetch(
    void* source, grpc_ssl_server_certificate_config** config) {
  auto& self = *static_cast<TlsSource*>(source);
  const std::lock_guard lock(self.mutex_);
  if (!self.offered_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair = {self.offered_->key.c_str(),
                                           self.offered_->certificate.c_str()};
  // Debian's gRPC asserts that there is an authority; without one it asks no client for a
  // certificate, so any will do.
  const Secret& authority = self.offered_->client_ca.text().empty() ? self.offered_->certificate
                                                                    : self.offered_->client_ca;
  // It copies what it is given.
  *config = grpc_ssl_server_certificate_config_create(authority.c_str(), &pair, 1);
  self.offered_.reset();
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace bitplex
