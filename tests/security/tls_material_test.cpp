// Certificates and keys: what a server starts with, and all that it refuses.
#include "server/security/tls_material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "absl/time/clock.h"
#include "tests/security/certificates.h"
#include "tests/security/temporary_folder.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsMaterialTest : public ::testing::Test {
 protected:
  // The files as they are, read and checked.
  absl::StatusOr<absl::Time> Check(absl::Time now = absl::Now()) {
    const absl::StatusOr<TlsMaterial> material = ReadTls(files_);
    if (!material.ok()) return material.status();
    return CheckTls(*material, files_, now);
  }
  void ExpectRefused(const std::string& path, const std::string& words) {
    const absl::Status status = Check().status();
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path + ": "), HasSubstr(words),
                                                     Not(HasSubstr("PRIVATE KEY-----"))));
    EXPECT_EQ(ERR_peek_error(), 0u);  // gRPC would take it for its own.
  }
  void Write(const Identity& identity) {
    folder_.Write("cert.pem", identity.certificate_pem);
    folder_.Write("key.pem", identity.key_pem);
  }

  const TemporaryFolder folder_;
  const Identity authority_ = MakeAuthority({.name = "authority"});
  const Identity good_ = MakeIdentity(authority_, {.name = "server", .end_days = 20});
  const Identity other_ = MakeIdentity(authority_, {.name = "other"});
  TlsFiles files_{folder_.Write("cert.pem", good_.certificate_pem),
                  folder_.Write("key.pem", good_.key_pem), ""};
};

TEST_F(TlsMaterialTest, GoodPairsPassWithTheMomentOfTheirEnd) {
  const auto expiry = Check();
  ASSERT_TRUE(expiry.ok()) << expiry.status();
  EXPECT_LT(absl::AbsDuration(*expiry - absl::Now() - absl::Hours(20 * 24)), absl::Minutes(10));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(TlsMaterialTest, RsaPassesToo) {
  Write(MakeIdentity(authority_, {.name = "rsa", .rsa_bits = 2048}));
  EXPECT_TRUE(Check().ok()) << Check().status();
}

TEST_F(TlsMaterialTest, AChainEndsWithItsFirstCertificateToEnd) {
  const Identity between = MakeIdentity(authority_, {.name = "between", .end_days = 3});
  folder_.Write("cert.pem", "A comment.\n" + good_.certificate_pem + between.certificate_pem);
  const auto expiry = Check();
  ASSERT_TRUE(expiry.ok()) << expiry.status();
  EXPECT_LT(*expiry, absl::Now() + absl::Hours(4 * 24));
}

TEST_F(TlsMaterialTest, OneFileMayHoldBoth) {
  files_.key = folder_.Write("cert.pem", good_.key_pem + good_.certificate_pem);
  EXPECT_TRUE(Check().ok()) << Check().status();
}

TEST_F(TlsMaterialTest, TheKeyOfAnotherCertificateIsRefused) {
  folder_.Write("key.pem", other_.key_pem);
  ExpectRefused(files_.key, "not the key of the certificate in " + files_.certificate);
}

TEST_F(TlsMaterialTest, ExpiredOnesAreRefused) {
  Write(MakeIdentity(authority_, {.name = "old", .begin_days = -9, .end_days = -1}));
  ExpectRefused(files_.certificate, "certificate 1 is expired at 20");
}

TEST_F(TlsMaterialTest, ThoseOfTheFutureAreRefused) {
  Write(MakeIdentity(authority_, {.name = "new", .begin_days = 2}));
  ExpectRefused(files_.certificate, "clock");
}

TEST_F(TlsMaterialTest, TimeIsThatOfTheCaller) {
  EXPECT_TRUE(Check(absl::Now() + absl::Hours(19 * 24)).ok());
  EXPECT_FALSE(Check(absl::Now() + absl::Hours(21 * 24)).ok());
}

TEST_F(TlsMaterialTest, AnExpiredOneFurtherUpIsRefused) {
  const Identity old = MakeIdentity(authority_, {.name = "o", .begin_days = -9, .end_days = -1});
  folder_.Write("cert.pem", good_.certificate_pem + old.certificate_pem);
  ExpectRefused(files_.certificate, "certificate 2 is expired");
}

TEST_F(TlsMaterialTest, WeakKeysAreRefusedWithTheReason) {
  Write(MakeIdentity(authority_, {.name = "weak", .rsa_bits = 1024}));
  ExpectRefused(files_.certificate, "key too small");
}

TEST_F(TlsMaterialTest, KeysWithAPassphraseAreRefusedAndNobodyIsAsked) {
  folder_.Write("key.pem", good_.EncryptedKeyPem("sesame"));
  ExpectRefused(files_.key, "openssl pkey");
}

TEST_F(TlsMaterialTest, CertificateAndKeyInEachOthersPlaceAreRefused) {
  folder_.Write("cert.pem", good_.key_pem);
  ExpectRefused(files_.certificate, "no certificate in it");
  Write(good_);
  folder_.Write("key.pem", good_.certificate_pem);
  ExpectRefused(files_.key, "no private key in it");
}

TEST_F(TlsMaterialTest, WhatIsNoPemIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("no PEM at all\n"), std::string(9999, '-')}) {
    Write({nullptr, nullptr, text, good_.key_pem});
    ExpectRefused(files_.certificate, "no certificate in it");
    Write({nullptr, nullptr, good_.certificate_pem, text});
    ExpectRefused(files_.key, "no private key in it");
  }
}

// However a file is cut or changed, it is refused or still means the same.
TEST_F(TlsMaterialTest, DamageIsRefused) {
  const std::string& pem = good_.certificate_pem;
  for (size_t size = pem.find("MII"); size + 2 < pem.size(); size += 17) {
    folder_.Write("cert.pem", pem.substr(0, size));
    EXPECT_FALSE(Check().ok()) << size;
    folder_.Write("cert.pem", pem + pem.substr(0, size));
    EXPECT_FALSE(Check().ok()) << size;
  }
  for (size_t at = pem.find("MII"); at < pem.find("-----END"); at += 13) {
    std::string changed = pem;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    folder_.Write("cert.pem", changed);
    Check().IgnoreError();
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(TlsMaterialTest, MissingFilesAreNamed) {
  for (std::string TlsFiles::*file :
       {&TlsFiles::certificate, &TlsFiles::key, &TlsFiles::client_ca}) {
    const TlsFiles good = files_;
    files_.*file = folder_.Path("missing.pem");
    const absl::Status status = Check().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.Path("missing.pem")));
    files_ = good;
  }
}

class ClientCa : public TlsMaterialTest {
 protected:
  ClientCa() { files_.client_ca = folder_.Write("ca.pem", authority_.certificate_pem); }
  const Identity expired_ = MakeAuthority({.name = "x", .begin_days = -9, .end_days = -1});
};

TEST_F(ClientCa, GoodOnesPassBesideExpiredOnes) {
  EXPECT_TRUE(Check().ok()) << Check().status();
  folder_.Write("ca.pem", expired_.certificate_pem + authority_.certificate_pem);
  EXPECT_TRUE(Check().ok()) << Check().status();
}

TEST_F(ClientCa, ExpiredOnesAloneAreRefused) {
  folder_.Write("ca.pem", expired_.certificate_pem);
  ExpectRefused(files_.client_ca, "expired at 20");
}

TEST_F(ClientCa, EmptyOnesAreRefused) {
  folder_.Write("ca.pem", "");
  ExpectRefused(files_.client_ca, "no certificate in it");
}

TEST_F(TlsMaterialTest, DigestsTellAnyChange) {
  files_.client_ca = folder_.Write("ca.pem", authority_.certificate_pem);
  const Sha256Digest first = ReadTls(files_)->digest;
  EXPECT_EQ(ReadTls(files_)->digest, first);
  for (const char* name : {"cert.pem", "key.pem", "ca.pem"}) {
    folder_.Write(name, "changed");
    EXPECT_NE(ReadTls(files_)->digest, first) << name;
    Write(good_);
    folder_.Write("ca.pem", authority_.certificate_pem);
  }
}

}  // namespace
}  // namespace bitplex::test
