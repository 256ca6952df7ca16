#include <cstdlib>

#include "model_store/train/module.h"
#include "model_store/train/trainer.h"
#include "model_store/util/module_loader.h"

namespace bitplex {
namespace {

// Read when the libraries are loaded. What the user has set stays.
void SetLibraryVariables() {
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  // cuBLAS gives the same sums in every run only with a workspace of a fixed size.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> LoadTrainer(const std::string& name,
                                                     const Architecture& arch,
                                                     const TrainerOptions& options) {
  SetLibraryVariables();
  const auto function = LoadModuleFunction("trainer", name, kCreateTrainerSymbol);
  if (!function.ok()) return function.status();
  const auto create = reinterpret_cast<CreateTrainerFunction>(*function);
  absl::Status status;
  std::unique_ptr<Trainer> trainer(create(kTrainerModuleVersion, arch, options, status));
  if (!status.ok()) return status;
  if (trainer == nullptr) return OtherModuleVersion("trainer", name);
  return trainer;
}

}  // namespace bitplex
