#include "server/security/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <optional>
#include <string>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace bitplex {
namespace {

bool IsUnixSocket(std::string_view address) {
  return address.starts_with("unix:") || address.starts_with("unix-abstract:");
}

// The host of HOST:PORT, [HOST]:PORT or HOST; empty for what is none of these.
std::string HostOf(std::string_view address) {
  if (address.find('\0') != std::string_view::npos) return "";
  if (address.starts_with('[')) {
    const size_t end = address.find(']');
    if (end == std::string_view::npos) return "";
    if (end + 1 != address.size() && address[end + 1] != ':') return "";
    return std::string(address.substr(1, end - 1));
  }
  const size_t colon = address.find(':');
  // More than one colon outside brackets is an IPv6 address without a port.
  if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos)
    return std::string(address);
  return std::string(address.substr(0, colon));
}

std::optional<in_addr> Ipv4(const std::string& host) {
  in_addr address;
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::optional<in6_addr> Ipv6(const std::string& host) {
  in6_addr address;
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

}  // namespace

bool StaysOnThisHost(std::string_view address) {
  if (IsUnixSocket(address)) return true;
  const std::string host = HostOf(address);
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  if (const auto ipv4 = Ipv4(host)) return (ntohl(ipv4->s_addr) >> 24) == 127;
  if (const auto ipv6 = Ipv6(host)) {
    if (IN6_IS_ADDR_V4MAPPED(&*ipv6)) return ipv6->s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&*ipv6);
  }
  return false;
}

bool NamesAPort(std::string_view address) {
  if (IsUnixSocket(address)) return !address.ends_with(':');
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view digits = address.substr(colon + 1);
  // With more colons than this one outside brackets it is an IPv6 address without a port.
  const bool bracketed = address.front() == '[' && address[colon - 1] == ']';
  if (!bracketed && address.find(':') != colon) return false;
  uint32_t port = 0;
  return digits.size() <= 5 && digits.find_first_not_of("0123456789") == std::string_view::npos &&
         absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &port) && port <= 65535;
}

bool IsOneSocket(std::string_view address) {
  if (IsUnixSocket(address)) return true;
  const std::string host = HostOf(address);
  return Ipv4(host).has_value() || Ipv6(host).has_value();
}

}  // namespace bitplex
