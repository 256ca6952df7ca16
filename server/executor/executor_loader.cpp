#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model_store/util/module_folder.h"
#include "server/executor/executor.h"
#include "server/executor/module.h"

namespace bitplex {
namespace {

// Workers are the only parallelism; a library's own pool would fight with them. The variables are
// read when the libraries are loaded. What the user has set stays.
void LimitLibraryThreads() {
  setenv("OMP_NUM_THREADS", "1", 0);
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> LoadExecutor(const std::string& name) {
  const std::filesystem::path path =
      ModuleFolder() / absl::StrCat("bitplex_executor_", name, ".so");
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no executor module ", path.string(),
                     "; build it, or name its folder in BITPLEX_EXECUTOR_DIR"));
  }
  LimitLibraryThreads();
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return absl::InternalError(absl::StrCat("cannot load the executor module: ", dlerror()));
  }
  const auto create =
      reinterpret_cast<CreateExecutorFunction>(dlsym(module, kCreateExecutorSymbol));
  std::unique_ptr<Executor> executor(create == nullptr ? nullptr : create(kExecutorModuleVersion));
  if (executor == nullptr) {
    return absl::InternalError(absl::StrCat(
        path.string(), " is an executor module of another version of Bitplex; build it again"));
  }
  return executor;
}

}  // namespace bitplex
