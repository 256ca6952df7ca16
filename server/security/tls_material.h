// A server's certificate and key, and the authority of its clients' certificates, from PEM files.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model_store/util/sha256.h"
#include "server/security/secret.h"

namespace bitplex {

struct TlsFiles {
  std::string certificate;  // The server's own first, then those between it and the root.
  std::string key;
  std::string client_ca;  // Empty: clients need no certificate.
};

struct TlsMaterial {
  Secret certificate;
  Secret key;
  Secret client_ca;
  bool key_open_to_others = false;
  Sha256Digest digest{};  // Of all that the files hold.
};

// Reads the files and looks at nothing in them.
absl::StatusOr<TlsMaterial> ReadTls(const TlsFiles& files);

// Whether a server can use `material` at `now`: that all of it parses, the key is that of the
// certificate and has no passphrase, nothing is expired or not yet valid, and OpenSSL finds the key
// strong enough. Returns the moment at which the first certificate of the chain expires. Errors are
// INVALID_ARGUMENT with the file's name and the remedy, and nothing out of the key.
absl::StatusOr<absl::Time> CheckTls(const TlsMaterial& material, const TlsFiles& files,
                                    absl::Time now);

}  // namespace bitplex
