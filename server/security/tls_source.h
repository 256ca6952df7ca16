// Hands a certificate and key to gRPC, and newer ones as they come.
#pragma once

#include <grpc/grpc_security.h>

#include <mutex>
#include <optional>

#include "server/security/tls_material.h"

namespace bitplex {

// gRPC asks before each handshake; a handshake that has begun keeps what it has. Thread-safe.
//
// gRPC's own FileWatcherCertificateProvider would watch the files itself, but gRPC 1.51 gives up
// the old certificate before it knows whether the new one works (tls_security_connector.cc,
// UpdateHandshakerFactoryLocked): one bad renewal would break the server. Through this interface
// it gets only what has been checked, and keeps the old one until the new one works.
class TlsSource {
 public:
  // Only what CheckTls has found good.
  void Offer(TlsMaterial material);

  // The form that gRPC wants. `source` is a TlsSource that outlives the server.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* source, grpc_ssl_server_certificate_config** config);

 private:
  std::mutex mutex_;
  std::optional<TlsMaterial> offered_;  // Guarded by mutex_. Gone once gRPC has it.
};

}  // namespace bitplex
