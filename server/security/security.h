// The security of one server: its credentials, kept up to date with the files that they come from.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model_store/util/sha256.h"
#include "server/security/authorizer.h"
#include "server/security/credentials.h"
#include "server/security/security_options.h"
#include "server/security/tls_source.h"

namespace bitplex {

// Thread-safe. Must outlive the server that has its credentials.
class Security {
 public:
  // Reads and checks all files. Errors name the file or the option, and the remedy. Logs warnings
  // for what is allowed but unwise. No secret is ever logged.
  static absl::StatusOr<std::unique_ptr<Security>> Open(const SecurityOptions& options,
                                                        const std::string& listen);
  ~Security();

  // For the one port that the server listens on.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

  // Looks at the files now, as a thread of its own does at the options' interval. What is new and
  // good counts from then on, for new connections and new calls. What is bad is logged as a
  // warning, once for each kind of fault, and changes nothing.
  void Reload(absl::Time now);

  Transport transport() const { return options_.transport(); }

 private:
  explicit Security(const SecurityOptions& options) : options_(options) {}

  absl::Status LoadTls(absl::Time now);
  absl::Status LoadTokens();
  void WarnOfExpiry(absl::Time now);
  void ReloadUntilStopped();

  // Logs a fault unless it is the one logged last; `last` is kept by the caller.
  static void WarnOnce(const absl::Status& status, std::string_view what, std::string& last);

  const SecurityOptions options_;
  TlsSource tls_source_;
  std::shared_ptr<Authorizer> authorizer_;  // Null without a token file.

  std::mutex reload_mutex_;  // Guards what follows, to stopping_.
  std::optional<Sha256Digest> tls_digest_;
  std::optional<Sha256Digest> token_digest_;
  absl::Time expiry_ = absl::InfiniteFuture();
  absl::Time next_expiry_warning_ = absl::InfinitePast();
  std::string tls_fault_;
  std::string token_fault_;

  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;  // Guarded by stop_mutex_.
  std::thread reloader_;
};

}  // namespace bitplex
