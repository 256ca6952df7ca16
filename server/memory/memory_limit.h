// How much memory the kernel lets this process have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitplex {

// Bytes: the lowest memory.max of the process's control group (version 2) and of those above it, as
// far as they can be seen from inside a container. Nothing when there is no limit, or none to read.
// The arguments are for tests.
std::optional<uint64_t> ReadMemoryLimit(const std::string& own_groups = "/proc/self/cgroup",
                                        const std::string& root = "/sys/fs/cgroup");

}  // namespace bitplex
