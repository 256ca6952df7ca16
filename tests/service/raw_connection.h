// A client's end of an HTTP/2 connection, for what no gRPC client can be made to do.
#pragma once

#include <cstdint>
#include <string>

namespace bitplex::test {

// To a port of 127.0.0.1. Aborts when nobody listens there. Reads nothing unless told to.
class RawConnection {
 public:
  explicit RawConnection(int port);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  void Send(const std::string& bytes) const;
  // Begins HTTP/2. The server may send as much of each answer as `window` bytes.
  void Begin(uint32_t window) const;
  // A whole unary gRPC call of `method` as stream `id` (1, 3, 5, ...).
  void Call(uint32_t id, const std::string& method, const std::string& message) const;

  // Reads, and throws away, until the server closes the connection. False when it has not done so
  // after a minute.
  bool ClosedByServer() const;

 private:
  int socket_;
};

}  // namespace bitplex::test
