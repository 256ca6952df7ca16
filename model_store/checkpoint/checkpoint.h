// Reads a trained network from a file: safetensors, a PyTorch state dict (.pt, zip format) or a
// TorchScript archive. The kind is told by the file's first bytes, never by its name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"

namespace bitplex {

// A float32 tensor that owns its values, row-major in PyTorch's axis order (convolution: OIHW).
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// One network's parameters, checked against an architecture.
struct Checkpoint {
  // Exactly the architecture's tensors, under torchvision's names; all values are finite.
  std::map<std::string, Tensor> tensors;
  size_t classes = 0;     // Outputs of `fc`.
  std::string file_name;  // Without its folder.
  std::string sha256;     // Of the file, lower-case hexadecimal.
  // The file's own remarks (safetensors __metadata__); empty for other kinds.
  std::map<std::string, std::string> metadata;
};

// Reads `path` and checks it against `arch`. F64, F16 and BF16 tensors become float32. Accepts
// torchvision's names and those of the common CIFAR code (`shortcut.0`, `linear`), a `module.`
// prefix, a dict nested under `state_dict`, `model` or `net`; ignores `num_batches_tracked`.
// INVALID_ARGUMENT names the first missing, extra or misshapen tensor, or the first NaN or
// infinity with its place; DATA_LOSS says what is wrong with the file itself. Nothing in the file
// is executed, and no allocation is larger than the file (or its tensors' values in float32).
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path, const Architecture& arch);

// The architecture whose tensors `path` holds, by its names and shapes. INVALID_ARGUMENT when none
// fits.
absl::StatusOr<const Architecture*> DetectArchitecture(const std::string& path);

}  // namespace bitplex
