#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model_store/train/module.h"
#include "model_store/train/trainer.h"
#include "model_store/util/module_folder.h"

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
  const std::filesystem::path path = ModuleFolder() / absl::StrCat("bitplex_trainer_", name, ".so");
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no trainer module ", path.string(),
                     "; build it (it needs LibTorch), or name its folder in BITPLEX_EXECUTOR_DIR"));
  }
  SetLibraryVariables();
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return absl::InternalError(absl::StrCat("cannot load the trainer module: ", dlerror()));
  }
  const auto create = reinterpret_cast<CreateTrainerFunction>(dlsym(module, kCreateTrainerSymbol));
  absl::Status status;
  std::unique_ptr<Trainer> trainer(
      create == nullptr ? nullptr : create(kTrainerModuleVersion, arch, options, status));
  if (!status.ok()) return status;
  if (trainer == nullptr) {
    return absl::InternalError(absl::StrCat(
        path.string(), " is a trainer module of another version of Bitplex; build it again"));
  }
  return trainer;
}

}  // namespace bitplex
