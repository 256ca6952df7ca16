// What an address to listen on, or to connect to, says about who can reach it.
#pragma once

#include <string_view>

namespace bitplex {

// True for what no other machine reaches: 127.0.0.0/8, [::1], localhost, unix:PATH and
// unix-abstract:NAME, with or without a port. False for everything else, and so for what it cannot
// read. Looks at the text alone; no name is resolved.
bool StaysOnThisHost(std::string_view address);

// True for HOST:PORT with a port of 0 to 65535, and for Unix sockets. gRPC itself takes a port that
// is missing for 443, and larger ones modulo 65536.
bool NamesAPort(std::string_view address);

// True when gRPC opens exactly one socket for it: an IP address or a Unix socket. A name may stand
// for several addresses.
bool IsOneSocket(std::string_view address);

}  // namespace bitplex
