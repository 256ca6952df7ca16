#include "model_store/util/module_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

std::filesystem::path Folder() {
  if (const char* folder = std::getenv("BITPLEX_EXECUTOR_DIR"); folder != nullptr) return folder;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return program.parent_path().parent_path() / "lib" / "bitplex";
}

std::filesystem::path ModulePath(const std::string& kind, const std::string& name) {
  return Folder() / absl::StrCat("bitplex_", kind, "_", name, ".so");
}

}  // namespace

absl::StatusOr<void*> LoadModuleFunction(const std::string& kind, const std::string& name,
                                         const char* symbol) {
  const std::filesystem::path path = ModulePath(kind, name);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no ", kind, " module ", path.string(),
                     "; build it, or name its folder in BITPLEX_EXECUTOR_DIR"));
  }
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return absl::InternalError(absl::StrCat("cannot load the ", kind, " module: ", dlerror()));
  }
  void* const function = dlsym(module, symbol);
  if (function == nullptr) return OtherModuleVersion(kind, name);
  return function;
}

absl::Status OtherModuleVersion(const std::string& kind, const std::string& name) {
  return absl::InternalError(absl::StrCat(ModulePath(kind, name).string(), " is a module (", kind,
                                          ") of another version of Bitplex; build it again"));
}

}  // namespace bitplex
