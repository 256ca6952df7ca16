// Structured logs: one event a line, as `time level event key=value ...`, on standard error.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace bitplex {

// Sets up spdlog and sends gRPC's own messages through it. Call once, before any thread starts.
void SetUpLog(const std::string& level);

// A text value: in double quotes, with quotes, backslashes and control characters escaped, so that
// what a client sends cannot begin a line of its own.
std::string Quoted(std::string_view text);

}  // namespace bitplex
