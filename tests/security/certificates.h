// Certificates made for a test: nothing that could expire is committed.
#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace bitplex::test {

struct CertificateSpec {
  std::string name;
  // Days from now at which it begins and ends to be valid.
  int begin_days = -1;
  int end_days = 30;
  int rsa_bits = 0;  // 0: an elliptic curve, which is fast to make.
};

// A certificate and its key. Copies share both.
struct Identity {
  std::shared_ptr<x509_st> certificate;
  std::shared_ptr<evp_pkey_st> key;
  std::string certificate_pem;
  std::string key_pem;

  std::string EncryptedKeyPem(const std::string& passphrase) const;
};

// An authority that has signed itself.
Identity MakeAuthority(const CertificateSpec& spec);

// A certificate for 127.0.0.1 and localhost.
Identity MakeIdentity(const Identity& authority, const CertificateSpec& spec);

}  // namespace bitplex::test
