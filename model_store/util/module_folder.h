// Where the modules that are loaded at run time lie.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace bitplex {

// $BITPLEX_EXECUTOR_DIR, or `lib/bitplex` beside the running program's `bin`.
inline std::filesystem::path ModuleFolder() {
  if (const char* folder = std::getenv("BITPLEX_EXECUTOR_DIR"); folder != nullptr) return folder;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return program.parent_path().parent_path() / "lib" / "bitplex";
}

}  // namespace bitplex
