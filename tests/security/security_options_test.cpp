// Which options go together, and with which address.
#include "server/security/security_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"

namespace bitplex {
namespace {

using ::testing::HasSubstr;

// Those named in `words`: cert, key, ca, token, insecure.
SecurityOptions Given(const std::string& words) {
  SecurityOptions options;
  const auto given = [&](const char* word) { return absl::StrContains(words, word); };
  if (given("cert")) options.tls_cert = "cert.pem";
  if (given("key")) options.tls_key = "key.pem";
  if (given("ca")) options.tls_client_ca = "ca.pem";
  if (given("token")) options.token_file = "tokens";
  options.insecure = given("insecure");
  return options;
}

struct Case {
  std::string name;
  std::string given;
  std::string listen;
  std::vector<std::string> words;  // None: it is allowed.
};

class Combinations : public ::testing::TestWithParam<Case> {};

TEST_P(Combinations, AreAllowedOrRefusedWithTheRemedy) {
  const absl::Status status = CheckSecurityOptions(Given(GetParam().given), GetParam().listen);
  EXPECT_EQ(status.ok(), GetParam().words.empty()) << status;
  for (const std::string& word : GetParam().words)
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(
    All, Combinations,
    ::testing::Values(
        Case{"LoopbackPlaintext", "", "127.0.0.1:0", {}},
        Case{"LocalhostPlaintext", "", "localhost:0", {}},
        Case{"UnixPlaintext", "", "unix:/run/x", {}},
        Case{"LoopbackTokens", "token", "[::1]:1", {}},
        Case{"LoopbackInsecure", "insecure", "127.0.0.1:0", {}},
        Case{"NetworkInsecure", "insecure", "0.0.0.0:1", {}},
        Case{"NetworkInsecureTokens", "token insecure", "0.0.0.0:1", {}},
        Case{"NetworkTls", "cert key", "0.0.0.0:1", {}},
        Case{"NetworkMutualTlsAndTokens", "cert key ca token", "[::]:1", {}},
        Case{"UnixTls", "cert key", "unix:/run/x", {}},
        Case{"NetworkPlaintext",
             "",
             "0.0.0.0:1",
             {"--listen 0.0.0.0:1", "--insecure", "--tls-cert"}},
        Case{"NamePlaintext", "", "example.org:1", {"--insecure"}},
        Case{"NetworkTokens", "token", "0.0.0.0:1", {"read the tokens", "--insecure"}},
        Case{"CertificateAlone", "cert", "127.0.0.1:0", {"--tls-key"}},
        Case{"KeyAlone", "key", "127.0.0.1:0", {"--tls-cert"}},
        Case{"ClientCaAlone", "ca", "127.0.0.1:0", {"--tls-cert"}},
        Case{"TlsAndInsecure", "cert key insecure", "0.0.0.0:1", {"--insecure", "--tls-cert"}},
        Case{"TlsOnAName", "cert key", "localhost:1", {"--listen localhost:1", "IP address"}}),
    [](const auto& test) { return test.param.name; });

struct MetricsCase {
  std::string name;
  std::string given;
  std::string listen;
  std::vector<std::string> words;  // None: it is allowed.
};

class MetricsAddresses : public ::testing::TestWithParam<MetricsCase> {};

TEST_P(MetricsAddresses, AreAllowedOrRefusedWithTheRemedy) {
  const absl::Status status = CheckMetricsAddress(Given(GetParam().given), GetParam().listen);
  EXPECT_EQ(status.ok(), GetParam().words.empty()) << status;
  for (const std::string& word : GetParam().words)
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(
    All, MetricsAddresses,
    ::testing::Values(MetricsCase{"None", "", "", {}},
                      MetricsCase{"Loopback", "", "127.0.0.1:9464", {}},
                      MetricsCase{"LoopbackBesideTls", "cert key token", "localhost:1", {}},
                      MetricsCase{"NetworkInsecure", "insecure", "0.0.0.0:9464", {}},
                      MetricsCase{"Network",
                                  "",
                                  "0.0.0.0:9464",
                                  {"--metrics-listen 0.0.0.0:9464", "127.0.0.1", "--insecure"}},
                      MetricsCase{"NetworkTokens", "token", "10.0.0.1:1", {"tokens", "--insecure"}},
                      // --insecure would contradict --tls-cert.
                      MetricsCase{"NetworkTls", "cert key", "0.0.0.0:1", {"without TLS", "--insecure-metrics"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
