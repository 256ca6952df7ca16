// How a client proves who it is, and how it knows the server.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace bitplex {

struct ClientSecurity {
  bool tls = false;      // Certificates of the server are held against the system's authorities;
  std::string tls_ca;    // or against those of this PEM file. Either one asks for TLS.
  std::string tls_cert;  // PEM files for a server that asks for a certificate: both, or neither.
  std::string tls_key;
  // The first token in it goes with every call. Written as the server's own.
  std::string token_file;
  // Lets the token go unencrypted to another machine.
  bool insecure = false;

  bool uses_tls() const { return tls || !tls_ca.empty(); }
};

// A channel that is not connected yet. Errors name the file or the option, and the remedy.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& server,
                                                           const ClientSecurity& security,
                                                           const grpc::ChannelArguments& arguments);

}  // namespace bitplex
