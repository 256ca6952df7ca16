// Asks a server of the test for its health.
#pragma once

#include <string>

#include "server/app/server.h"

namespace bitplex::test {

// Of grpc.health.v1.HealthCheckResponse; kUnknownService stands for the status NOT_FOUND.
enum class HealthAnswer { kUnknown = 0, kServing = 1, kNotServing = 2, kUnknownService = 3 };

// Aborts the program when the call itself fails.
HealthAnswer CheckHealth(const Server& server, const std::string& service);

}  // namespace bitplex::test
