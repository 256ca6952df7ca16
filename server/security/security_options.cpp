#include "server/security/security_options.h"

#include "absl/strings/str_cat.h"
#include "server/security/address.h"

namespace bitplex {

namespace {

absl::Status CheckPort(const char* option, const std::string& address) {
  if (NamesAPort(address)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(option, " '", address,
                   "': give an address and a port of 0 to 65535, such as 127.0.0.1:50051"));
}

}  // namespace

absl::Status CheckSecurityOptions(const SecurityOptions& options, const std::string& listen) {
  if (absl::Status status = CheckPort("--listen", listen); !status.ok()) return status;
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key belong together: give both, or neither");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return absl::InvalidArgumentError(
        "--tls-client-ca needs TLS: give --tls-cert and --tls-key too");
  }
  if (options.transport() != Transport::kPlaintext) {
    if (options.insecure) {
      return absl::InvalidArgumentError(
          "--insecure and --tls-cert contradict each other: leave one out");
    }
    if (!IsOneSocket(listen)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--listen ", listen,
          ": with TLS give an IP address, such as 127.0.0.1:50051 or [::]:50051, or unix:PATH; a "
          "name may stand for several addresses, and certificates could not be renewed safely"));
    }
    return absl::OkStatus();
  }
  if (StaysOnThisHost(listen) || options.insecure) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--listen ", listen,
      ": other machines can reach this address, and without TLS they can read ",
      options.token_file.empty() ? "and change everything" : "the tokens and everything else",
      "; give --tls-cert and --tls-key, or listen on 127.0.0.1, or say --insecure if the network "
      "is protected by other means"));
}

absl::StatusOr<SecurityOptions> AdminSecurity(const SecurityOptions& options,
                                              const std::string& admin_token_file,
                                              const std::string& admin_listen) {
  if (absl::Status status = CheckPort("--admin-listen", admin_listen); !status.ok()) return status;
  SecurityOptions admin;
  admin.token_file = admin_token_file;
  admin.token_option = "--admin-token-file";
  admin.reload_interval = options.reload_interval;
  if (StaysOnThisHost(admin_listen)) return admin;
  if (options.transport() == Transport::kPlaintext || admin_token_file.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--admin-listen ", admin_listen,
                     ": other machines can reach this address; give --tls-cert, --tls-key and "
                     "--admin-token-file, or listen on 127.0.0.1 or unix:PATH"));
  }
  admin.tls_cert = options.tls_cert;
  admin.tls_key = options.tls_key;
  admin.tls_client_ca = options.tls_client_ca;
  return admin;
}

absl::Status CheckMetricsAddress(const SecurityOptions& options,
                                 const std::string& metrics_listen) {
  if (metrics_listen.empty()) return absl::OkStatus();
  if (absl::Status status = CheckPort("--metrics-listen", metrics_listen); !status.ok()) {
    return status;
  }
  if (StaysOnThisHost(metrics_listen) || options.insecure || options.insecure_metrics) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--metrics-listen ", metrics_listen,
      ": other machines can reach this address, and the metrics are served without TLS and "
      "tokens; listen on 127.0.0.1, or say --insecure-metrics if the network is protected by other "
      "means"));
}

}  // namespace bitplex
