#include "server/security/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

// OpenSSL's errors are a queue of the thread; what is not taken out would be read by gRPC as its
// own.
struct ClearErrors {
  ClearErrors() { ERR_clear_error(); }
  ~ClearErrors() { ERR_clear_error(); }
};

std::string LastReason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "unknown reason" : reason;
}

absl::Status Fault(const std::string& option, const std::string& path, const std::string& fault) {
  return absl::InvalidArgumentError(absl::StrCat(option, " ", path, ": ", fault));
}

// Without this, OpenSSL would ask at the terminal.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Bio Reader(const Secret& pem) {
  return Bio(BIO_new_mem_buf(pem.text().data(), static_cast<int>(pem.text().size())));
}

absl::StatusOr<std::vector<Certificate>> ParseCertificates(const Secret& pem,
                                                           const std::string& option,
                                                           const std::string& path) {
  const Bio bio = Reader(pem);
  std::vector<Certificate> certificates;
  bool asked = false;
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, &asked))
    certificates.emplace_back(certificate);
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended) {
    return Fault(option, path,
                 absl::StrCat("certificate ", certificates.size() + 1,
                              " cannot be parsed; give PEM certificates, each between BEGIN and "
                              "END CERTIFICATE"));
  }
  if (certificates.empty()) {
    return Fault(option, path, "no certificate in it; give a PEM file with BEGIN CERTIFICATE");
  }
  return certificates;
}

absl::StatusOr<Key> ParseKey(const Secret& pem, const std::string& path) {
  const Bio bio = Reader(pem);
  bool asked = false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, &asked));
  if (asked) {
    return Fault("--tls-key", path,
                 "the key has a passphrase, and nobody is there to type it; write it without one "
                 "with: openssl pkey -in KEY -out PLAIN_KEY, and protect the file");
  }
  if (key == nullptr) {
    return Fault("--tls-key", path, "no private key in it; give a PEM file with BEGIN PRIVATE KEY");
  }
  return key;
}

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&parts));
}

// Empty when `certificate` is valid at `now`.
std::string TimeFault(const X509* certificate, absl::Time now) {
  const absl::Time begin = ToTime(X509_get0_notBefore(certificate));
  const absl::Time end = ToTime(X509_get0_notAfter(certificate));
  if (now > end)
    return absl::StrCat("expired at ", absl::FormatTime(end, absl::UTCTimeZone()), "; renew it");
  if (now < begin) {
    return absl::StrCat("not valid before ", absl::FormatTime(begin, absl::UTCTimeZone()),
                        "; is this machine's clock right?");
  }
  return "";
}

absl::StatusOr<absl::Time> CheckTimes(const std::vector<Certificate>& chain,
                                      const std::string& path, absl::Time now) {
  absl::Time first_end = absl::InfiniteFuture();
  for (size_t i = 0; i < chain.size(); ++i) {
    if (const std::string fault = TimeFault(chain[i].get(), now); !fault.empty())
      return Fault("--tls-cert", path, absl::StrCat("certificate ", i + 1, " is ", fault));
    first_end = std::min(first_end, ToTime(X509_get0_notAfter(chain[i].get())));
  }
  return first_end;
}

absl::Status CheckPair(X509* certificate, EVP_PKEY* key, const TlsFiles& files) {
  if (X509_check_private_key(certificate, key) != 1) {
    return Fault("--tls-key", files.key,
                 absl::StrCat("not the key of the certificate in ", files.certificate,
                              "; give the pair that was made together"));
  }
  // As gRPC will use them, for rules such as the smallest key that OpenSSL is set to accept.
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return absl::InternalError("OpenSSL offers no TLS in this process");
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context.get(), certificate) != 1) {
    return Fault("--tls-cert", files.certificate,
                 absl::StrCat("OpenSSL refuses it: ", LastReason(), "; make a new one"));
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key) != 1) {
    return Fault("--tls-key", files.key,
                 absl::StrCat("OpenSSL refuses it: ", LastReason(), "; make a new one"));
  }
  return absl::OkStatus();
}

absl::Status CheckClientCa(const TlsMaterial& material, const std::string& path, absl::Time now) {
  const auto roots = ParseCertificates(material.client_ca, "--tls-client-ca", path);
  if (!roots.ok()) return roots.status();
  // A bundle may hold old ones beside those in use.
  std::string fault;
  for (const Certificate& root : *roots) {
    const std::string root_fault = TimeFault(root.get(), now);
    if (root_fault.empty()) return absl::OkStatus();
    fault = root_fault;
  }
  return Fault("--tls-client-ca", path,
               absl::StrCat("no certificate in it is valid now, so no client could connect; the "
                            "last is ",
                            fault));
}

}  // namespace

absl::StatusOr<TlsMaterial> ReadTls(const TlsFiles& files) {
  TlsMaterial material;
  absl::StatusOr<SecretFile> certificate = ReadSecretFile(files.certificate, "--tls-cert");
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<SecretFile> key = ReadSecretFile(files.key, "--tls-key");
  if (!key.ok()) return key.status();
  material.certificate = std::move(certificate->content);
  material.key = std::move(key->content);
  material.key_open_to_others = key->open_to_others;
  if (!files.client_ca.empty()) {
    absl::StatusOr<SecretFile> client_ca = ReadSecretFile(files.client_ca, "--tls-client-ca");
    if (!client_ca.ok()) return client_ca.status();
    material.client_ca = std::move(client_ca->content);
  }
  std::string digests;
  for (const Secret* part : {&material.certificate, &material.key, &material.client_ca}) {
    const absl::StatusOr<Sha256Digest> digest = Sha256(part->text());
    if (!digest.ok()) return digest.status();
    digests.append(digest->begin(), digest->end());
  }
  const absl::StatusOr<Sha256Digest> digest = Sha256(digests);
  if (!digest.ok()) return digest.status();
  material.digest = *digest;
  return material;
}

absl::StatusOr<absl::Time> CheckTls(const TlsMaterial& material, const TlsFiles& files,
                                    absl::Time now) {
  const ClearErrors errors;
  const auto chain = ParseCertificates(material.certificate, "--tls-cert", files.certificate);
  if (!chain.ok()) return chain.status();
  const absl::StatusOr<Key> key = ParseKey(material.key, files.key);
  if (!key.ok()) return key.status();
  if (absl::Status status = CheckPair(chain->front().get(), key->get(), files); !status.ok())
    return status;
  if (!files.client_ca.empty()) {
    if (absl::Status status = CheckClientCa(material, files.client_ca, now); !status.ok())
      return status;
  }
  return CheckTimes(*chain, files.certificate, now);
}

}  // namespace bitplex
