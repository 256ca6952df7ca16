// What the server is told about its security.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "server/security/credentials.h"

namespace bitplex {

struct SecurityOptions {
  // PEM files. Both or neither. With them, a handshake for each connection and the encryption of
  // what it carries.
  std::string tls_cert;
  std::string tls_key;
  // PEM file. Clients must show a certificate that one of these authorities signed. Costs their
  // handing out; a connection lasts about an hour at most, so that certificates are looked at
  // again.
  std::string tls_client_ca;
  // Calls must carry one of its tokens. Costs one SHA-256 a call.
  std::string token_file;
  std::string token_option = "--token-file";  // That named it, for errors.
  // Lets plaintext listen where other machines can reach it.
  bool insecure = false;
  // Lets metrics, which have no TLS, listen where other machines can reach them.
  bool insecure_metrics = false;
  // How often the files are read again. Shorter: renewals count sooner; reads a few KB each time.
  std::chrono::milliseconds reload_interval{5000};

  Transport transport() const {
    if (tls_cert.empty()) return Transport::kPlaintext;
    return tls_client_ca.empty() ? Transport::kTls : Transport::kMutualTls;
  }
};

// Whether `options` fit each other and the address to listen on. INVALID_ARGUMENT names the options
// to add or to leave out; no file is looked at.
absl::Status CheckSecurityOptions(const SecurityOptions& options, const std::string& listen);

// The same for --admin-listen, an address apart for administrative calls: on this machine it is
// plaintext, on others' way it needs TLS and tokens of its own. What to open it with, or
// INVALID_ARGUMENT.
absl::StatusOr<SecurityOptions> AdminSecurity(const SecurityOptions& options,
                                              const std::string& admin_token_file,
                                              const std::string& admin_listen);

// The same for --metrics-listen, whose port is plaintext and asks nobody for a token, whatever the
// other one does. OK for an empty address.
absl::Status CheckMetricsAddress(const SecurityOptions& options, const std::string& metrics_listen);

}  // namespace bitplex
