#include <cstdlib>

#include "model_store/util/module_loader.h"
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
  LimitLibraryThreads();
  const auto function = LoadModuleFunction("executor", name, kCreateExecutorSymbol);
  if (!function.ok()) return function.status();
  const auto create = reinterpret_cast<CreateExecutorFunction>(*function);
  std::unique_ptr<Executor> executor(create(kExecutorModuleVersion));
  if (executor == nullptr) return OtherModuleVersion("executor", name);
  return executor;
}

}  // namespace bitplex
