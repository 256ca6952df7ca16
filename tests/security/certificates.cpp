#include "tests/security/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace bitplex::test {
namespace {

void DieUnless(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "OpenSSL cannot %s\n", what);
  std::abort();
}

template <class Write>
std::string Pem(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  DieUnless(write(bio) == 1, "write PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  DieUnless(extension != nullptr, "make an extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Identity Make(const Identity* authority, const CertificateSpec& spec) {
  static long serial = 0;
  EVP_PKEY* const key =
      spec.rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(spec.rsa_bits)) : EVP_EC_gen("P-256");
  DieUnless(key != nullptr, "make a key");
  X509* const certificate = X509_new();
  X509* const issuer = authority == nullptr ? certificate : authority->certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(certificate), spec.begin_days, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(certificate), spec.end_days, 0, nullptr);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  if (authority == nullptr) {
    AddExtension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    AddExtension(certificate, issuer, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  }
  EVP_PKEY* const signer = authority == nullptr ? key : authority->key.get();
  DieUnless(X509_sign(certificate, signer, EVP_sha256()) > 0, "sign");
  Identity identity{{certificate, X509_free}, {key, EVP_PKEY_free}, "", ""};
  identity.certificate_pem = Pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
  identity.key_pem = Pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  return identity;
}

}  // namespace

std::string Identity::EncryptedKeyPem(const std::string& passphrase) const {
  return Pem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), EVP_aes_256_cbc(),
                                    reinterpret_cast<const unsigned char*>(passphrase.data()),
                                    static_cast<int>(passphrase.size()), nullptr, nullptr);
  });
}

Identity MakeAuthority(const CertificateSpec& spec) { return Make(nullptr, spec); }

Identity MakeIdentity(const Identity& authority, const CertificateSpec& spec) {
  return Make(&authority, spec);
}

}  // namespace bitplex::test
