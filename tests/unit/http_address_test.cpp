// Which addresses the metrics' port takes.
#include "server/metrics/http_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitplex {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(HttpAddress, IsAnIpv4AddressOrLocalhostAndAPort) {
  EXPECT_EQ(*ToHttpAddress("127.0.0.1:9464"), "127.0.0.1:9464");
  EXPECT_EQ(*ToHttpAddress("0.0.0.0:0"), "0.0.0.0:0");
  EXPECT_EQ(*ToHttpAddress("localhost:65535"), "127.0.0.1:65535");
  EXPECT_EQ(*ToHttpAddress("LocalHost:1"), "127.0.0.1:1");
}

class BadHttpAddress : public ::testing::TestWithParam<std::string> {};

TEST_P(BadHttpAddress, IsRefusedWithAnExample) {
  const auto address = ToHttpAddress(GetParam());
  ASSERT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << *address;
  EXPECT_THAT(std::string(address.status().message()),
              AllOf(HasSubstr("--metrics-listen "), HasSubstr("127.0.0.1:9464")));
}

// civetweb's own syntax among them: more ports, TLS ("s") and redirection ("r").
INSTANTIATE_TEST_SUITE_P(Table, BadHttpAddress,
                         ::testing::Values("", ":", "9464", ":9464", "127.0.0.1", "127.0.0.1:",
                                           "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
                                           "127.0.0.1: 1", "127.0.0.1:1 ", "127.0.0.1:1,2",
                                           "127.0.0.1:1,0.0.0.0:2", "127.0.0.1:1s", "127.0.0.1:1r",
                                           "+9464", "127.1:1", " 127.0.0.1:1", "[::1]:9464",
                                           "::1:9464", "example.org:9464", "unix:/run/metrics",
                                           std::string("127.0.0.1\0.example.org:1", 24),
                                           std::string("127.0.0.1:1\0", 12)));

}  // namespace
}  // namespace bitplex
