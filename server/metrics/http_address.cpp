#include "server/metrics/http_address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/security/address.h"

namespace bitplex {
namespace {

bool IsIpv4(const std::string& host) {
  in_addr address;
  return host.find('\0') == std::string::npos && inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace

absl::StatusOr<std::string> ToHttpAddress(std::string_view listen) {
  const size_t colon = listen.rfind(':');
  if (colon != std::string_view::npos) {
    std::string host(listen.substr(0, colon));
    const std::string_view port = listen.substr(colon + 1);
    if (absl::EqualsIgnoreCase(host, "localhost")) host = "127.0.0.1";
    if (IsIpv4(host) && NamesAPort(listen)) return absl::StrCat(host, ":", std::string(port));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--metrics-listen ", std::string(listen),
                   ": give an IPv4 address and a port, such as 127.0.0.1:9464; port 0 takes a free "
                   "one"));
}

}  // namespace bitplex
