#include "tests/service/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace bitplex::test {
namespace {

std::string BigEndian(uint32_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
  return out;
}

std::string Frame(char type, char flags, uint32_t stream, const std::string& payload) {
  return BigEndian(static_cast<uint32_t>(payload.size()), 3) + type + flags + BigEndian(stream, 4) +
         payload;
}

// HPACK, a literal that enters no table; both shorter than 127 bytes.
std::string Header(const std::string& name, const std::string& value) {
  return '\0' + (static_cast<char>(name.size()) + name) + (static_cast<char>(value.size()) + value);
}

}  // namespace

RawConnection::RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    std::abort();
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

RawConnection::~RawConnection() { ::close(socket_); }

void RawConnection::Send(const std::string& bytes) const {
  // Whoever was cut off finds out by reading.
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void RawConnection::Begin(uint32_t window) const {
  constexpr uint32_t kInitialWindow = 4;
  Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
       Frame(4, 0, 0, BigEndian(kInitialWindow, 2) + BigEndian(window, 4)) + Frame(4, 1, 0, ""));
}

void RawConnection::Call(uint32_t id, const std::string& method, const std::string& message) const {
  Send(Frame(1, 4, id,
             Header(":method", "POST") + Header(":scheme", "http") + Header(":path", method) +
                 Header(":authority", "localhost") + Header("te", "trailers") +
                 Header("content-type", "application/grpc")) +
       Frame(0, 1, id, '\0' + BigEndian(static_cast<uint32_t>(message.size()), 4) + message));
}

bool RawConnection::ClosedByServer() const {
  char buffer[4096];
  while (true) {
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) return true;
    if (count < 0) return false;
  }
}

}  // namespace bitplex::test
