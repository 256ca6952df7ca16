// What guards a port of a gRPC server.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/security/authorizer.h"
#include "server/security/tls_source.h"

namespace bitplex {

enum class Transport { kPlaintext, kTls, kMutualTls };

// Credentials for ServerBuilder::AddListeningPort. With `authorizer`, a call that it does not let
// pass is refused before its first message is read and before a service sees it, whichever service
// that is. gRPC offers this for encrypted
// ports only, and server interceptors cannot refuse; its core does it for any port.
// `tls` has been offered its material, must outlive the server, and serves one port of one socket
// (see IsOneSocket): gRPC 1.51 renews certificates unguarded between sockets. Null for plaintext.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(Transport transport, TlsSource* tls,
                                                         std::shared_ptr<Authorizer> authorizer);

}  // namespace bitplex
