// Which addresses other machines can reach.
#include "server/security/address.h"

#include <gtest/gtest.h>

#include <string>

namespace bitplex {
namespace {

struct Address {
  const char* text;
  bool stays;
  bool one_socket;
};

class Addresses : public ::testing::TestWithParam<Address> {};

TEST_P(Addresses, AreTold) {
  EXPECT_EQ(StaysOnThisHost(GetParam().text), GetParam().stays);
  EXPECT_EQ(IsOneSocket(GetParam().text), GetParam().one_socket);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Addresses,
    ::testing::Values(
        // Of this host.
        Address{"127.0.0.1:50051", true, true}, Address{"127.0.0.1", true, true},
        Address{"127.255.255.254:1", true, true}, Address{"[::1]:50051", true, true},
        Address{"[::1]", true, true}, Address{"::1", true, true},
        Address{"[0:0:0:0:0:0:0:1]:1", true, true}, Address{"[::ffff:127.0.0.1]:1", true, true},
        Address{"localhost:50051", true, false}, Address{"LocalHost", true, false},
        Address{"unix:/run/bitplex.sock", true, true}, Address{"unix:///run/b.sock", true, true},
        Address{"unix-abstract:bitplex", true, true},
        // Reachable.
        Address{"0.0.0.0:50051", false, true}, Address{"[::]:50051", false, true},
        Address{"::", false, true}, Address{"128.0.0.1:1", false, true},
        Address{"126.255.255.255:1", false, true}, Address{"10.127.0.1:1", false, true},
        Address{"[::2]:1", false, true}, Address{"[fe80::1]:1", false, true},
        Address{"[::ffff:10.0.0.1]:1", false, true}, Address{"[::127.0.0.1]:1", false, true},
        Address{"example.org:443", false, false}, Address{"myhost", false, false},
        // Names that look like an address of this host.
        Address{"127.0.0.1.example.org:1", false, false},
        Address{"localhost.example.org:1", false, false}, Address{"notlocalhost:1", false, false},
        Address{"127.1:1", false, false}, Address{"0177.0.0.1:1", false, false},
        Address{"2130706433:1", false, false}, Address{" 127.0.0.1:1", false, false},
        // What cannot be read counts as reachable.
        Address{"", false, false}, Address{":50051", false, false},
        Address{"*:50051", false, false}, Address{"[::1:50051", false, false},
        Address{"[127.0.0.1]x:1", false, false}, Address{"[::1].example.org:1", false, false},
        Address{"[]:1", false, false}, Address{"[::1%lo]:1", false, false},
        Address{"ipv4:127.0.0.1:50051", false, false},
        Address{"dns:///localhost:50051", false, false}, Address{"UNIX:/x", false, false}));

TEST(Addresses, NameAPortOrDoNot) {
  for (const char* good :
       {"127.0.0.1:0", "0.0.0.0:65535", "[::1]:50051", "host:1", "unix:/a", "unix-abstract:a"}) {
    EXPECT_TRUE(NamesAPort(good)) << good;
  }
  for (const char* bad :
       {"", ":", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:99999",
        "127.0.0.1:123456789012", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:abc",
        "50051", "::1", "[::1]", "[::1]50051", "1:2:3", "unix:", "unix-abstract:"}) {
    EXPECT_FALSE(NamesAPort(bad)) << bad;
  }
}

TEST(Addresses, ANulByteEndsNoAddress) {
  const std::string address("127.0.0.1\0.example.org:1", 24);
  EXPECT_FALSE(StaysOnThisHost(address));
  EXPECT_FALSE(IsOneSocket(address));
}

}  // namespace
}  // namespace bitplex
