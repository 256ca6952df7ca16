// Which processors the workers run on.
#pragma once

#include <cstddef>

namespace bitplex {

// Processors that the calling thread may run on, which a container's cpuset makes fewer than the
// host has; at least 1.
size_t UsableCores();

// Keeps the calling thread on the `index`-th usable processor (counted round), so that its caches
// stay its own. Does nothing where the system does not allow it.
void StayOnCore(size_t index);

}  // namespace bitplex
