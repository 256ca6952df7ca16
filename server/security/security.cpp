#include "server/security/security.h"

#include <spdlog/spdlog.h>

#include "absl/time/clock.h"
#include "server/app/log.h"
#include "server/security/address.h"

namespace bitplex {
namespace {

constexpr absl::Duration kExpiryNotice = absl::Hours(14 * 24);
constexpr absl::Duration kExpiryWarningInterval = absl::Hours(24);

std::string InUtc(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

void WarnIfOpen(bool open_to_others, const std::string& path) {
  if (!open_to_others) return;
  spdlog::warn("secret_file_open path={} remedy={}", Quoted(path),
               Quoted("every user of this machine may read or write it; chmod 600 it"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Security>> Security::Open(const SecurityOptions& options,
                                                         const std::string& listen) {
  if (absl::Status status = CheckSecurityOptions(options, listen); !status.ok()) return status;
  std::unique_ptr<Security> security(new Security(options));
  const bool tls = options.transport() != Transport::kPlaintext;
  const bool tokens = !options.token_file.empty();
  if (tls) {
    if (absl::Status status = security->LoadTls(absl::Now()); !status.ok()) return status;
    security->WarnOfExpiry(absl::Now());
  }
  if (tokens) {
    if (absl::Status status = security->LoadTokens(); !status.ok()) return status;
  }
  if (!tls && !StaysOnThisHost(listen)) {
    spdlog::warn("insecure listen={} remedy={}", Quoted(listen),
                 Quoted("everything sent can be read and changed on its way; use --tls-cert"));
  }
  if (tls || tokens) security->reloader_ = std::thread(&Security::ReloadUntilStopped, &*security);
  return security;
}

Security::~Security() {
  {
    const std::lock_guard lock(stop_mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  if (reloader_.joinable()) reloader_.join();
}

std::shared_ptr<grpc::ServerCredentials> Security::Credentials() {
  return MakeCredentials(options_.transport(), &tls_source_, authorizer_);
}

void Security::ReloadUntilStopped() {
  std::unique_lock lock(stop_mutex_);
  while (!stop_changed_.wait_for(lock, options_.reload_interval, [this] { return stopping_; })) {
    lock.unlock();
    Reload(absl::Now());
    lock.lock();
  }
}

void Security::Reload(absl::Time now) {
  const std::lock_guard lock(reload_mutex_);
  if (options_.transport() != Transport::kPlaintext) {
    WarnOnce(LoadTls(now), "certificate", tls_fault_);
    WarnOfExpiry(now);
  }
  if (authorizer_ == nullptr) return;
  WarnOnce(LoadTokens(), "tokens", token_fault_);
  if (const uint64_t calls = authorizer_->TakeRefusals(); calls > 0)
    spdlog::warn("refused_unauthenticated calls={}", calls);
}

absl::Status Security::LoadTls(absl::Time now) {
  const TlsFiles files{options_.tls_cert, options_.tls_key, options_.tls_client_ca};
  absl::StatusOr<TlsMaterial> material = ReadTls(files);
  if (!material.ok()) return material.status();
  if (tls_digest_ == material->digest) return absl::OkStatus();
  const absl::StatusOr<absl::Time> expiry = CheckTls(*material, files, now);
  if (!expiry.ok()) return expiry.status();
  WarnIfOpen(material->key_open_to_others, options_.tls_key);
  spdlog::info("certificate_loaded path={} expires={}", Quoted(options_.tls_cert), InUtc(*expiry));
  tls_digest_ = material->digest;
  expiry_ = *expiry;
  next_expiry_warning_ = absl::InfinitePast();
  tls_source_.Offer(*std::move(material));
  return absl::OkStatus();
}

absl::Status Security::LoadTokens() {
  const absl::StatusOr<SecretFile> file =
      ReadSecretFile(options_.token_file, options_.token_option);
  if (!file.ok()) return file.status();
  const absl::StatusOr<Sha256Digest> digest = Sha256(file->content.text());
  if (!digest.ok()) return digest.status();
  if (token_digest_ == *digest) return absl::OkStatus();
  absl::StatusOr<TokenSet> tokens = TokenSet::Parse(
      file->content.text(), absl::StrCat(options_.token_option, " ", options_.token_file));
  if (!tokens.ok()) return tokens.status();
  WarnIfOpen(file->open_to_others, options_.token_file);
  spdlog::info("tokens_loaded path={} tokens={}", Quoted(options_.token_file), tokens->size());
  token_digest_ = *digest;
  if (authorizer_ == nullptr) {
    authorizer_ = std::make_shared<Authorizer>(*std::move(tokens));
  } else {
    authorizer_->Replace(*std::move(tokens));
  }
  return absl::OkStatus();
}

void Security::WarnOnce(const absl::Status& status, std::string_view what, std::string& last) {
  const std::string fault(status.message());
  if (!fault.empty() && fault != last) {
    spdlog::warn("reload_refused what={} kept={} fault={}", what, Quoted("the one in use"),
                 Quoted(fault));
  }
  last = fault;
}

void Security::WarnOfExpiry(absl::Time now) {
  if (expiry_ - now > kExpiryNotice || now < next_expiry_warning_) return;
  next_expiry_warning_ = now + kExpiryWarningInterval;
  spdlog::warn("certificate_expires path={} expires={} remedy={}", Quoted(options_.tls_cert),
               InUtc(expiry_), Quoted("renew it; the server takes up the new file by itself"));
}

}  // namespace bitplex
