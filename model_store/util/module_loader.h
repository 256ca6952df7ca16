// Modules are shared objects that are loaded when they are asked for, so that a program which does
// not need a large library never loads it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace bitplex {

// The function `symbol` of bitplex_<kind>_<name>.so in the folder `lib/bitplex` beside the running
// program's `bin`, or in $BITPLEX_EXECUTOR_DIR. A module is loaded once and stays until the process
// ends. NOT_FOUND says which file was looked for and where; INTERNAL why it cannot be loaded, or
// that it has no such function.
absl::StatusOr<void*> LoadModuleFunction(const std::string& kind, const std::string& name,
                                         const char* symbol);

// For a module that is there, but refuses this build's version of its interface.
absl::Status OtherModuleVersion(const std::string& kind, const std::string& name);

}  // namespace bitplex
