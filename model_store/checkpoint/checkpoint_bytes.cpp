#include "model_store/checkpoint/checkpoint_bytes.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/names.h"
#include "model_store/checkpoint/raw_tensors.h"
#include "model_store/checkpoint/safetensors.h"
#include "model_store/checkpoint/torch_archive.h"
#include "model_store/checkpoint/validate.h"

namespace bitplex::checkpoint {
namespace {

absl::StatusOr<RawTensors> ListTensors(absl::Span<const uint8_t> file) {
  if (LooksLikeZip(file)) return ReadTorchArchive(file);
  if (LooksLikeSafetensors(file)) return ReadSafetensors(file);
  if (LooksLikePickle(file)) {
    return absl::InvalidArgumentError(
        "was saved by PyTorch before 1.6 or with its old format; load it and save it again with "
        "torch.save of PyTorch 1.6 or newer");
  }
  return absl::InvalidArgumentError(
      "is no checkpoint: it begins neither as safetensors nor as PyTorch's zip format");
}

absl::StatusOr<RawTensors> ListNamedTensors(absl::Span<const uint8_t> file) {
  auto raw = ListTensors(file);
  if (!raw.ok()) return raw.status();
  if (auto status = UseTorchvisionNames(*raw); !status.ok()) return status;
  return raw;
}

// The architecture that fits, or null. `faults` then says why each does not.
const Architecture* FindFitting(const RawTensors& raw, std::string& faults) {
  for (const std::string& name : ArchitectureNames()) {
    const auto arch = FindArchitecture(name);
    if (!arch.ok()) continue;
    const auto classes = CheckShapes(raw, **arch);
    if (classes.ok()) return *arch;
    absl::StrAppend(&faults, "; not ", name, ": ", classes.status().message());
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Checkpoint> ReadCheckpointBytes(absl::Span<const uint8_t> file,
                                               const Architecture& arch) {
  auto raw = ListNamedTensors(file);
  if (!raw.ok()) return raw.status();
  const auto classes = CheckShapes(*raw, arch);
  if (!classes.ok()) {
    std::string ignored;
    const Architecture* fitting = FindFitting(*raw, ignored);
    if (fitting == nullptr) return classes.status();
    return absl::InvalidArgumentError(
        absl::StrCat(classes.status().message(), "; the file fits ", fitting->name));
  }
  Checkpoint checkpoint;
  checkpoint.classes = *classes;
  checkpoint.metadata = raw->metadata;
  for (const auto& [name, entry] : raw->entries) {
    auto tensor = ReadTensor(*raw, entry);
    if (!tensor.ok()) {
      return absl::Status(tensor.status().code(),
                          absl::StrCat("tensor ", name, ": ", tensor.status().message()));
    }
    if (auto status = CheckValues(name, *tensor); !status.ok()) return status;
    checkpoint.tensors.emplace(name, *std::move(tensor));
  }
  return checkpoint;
}

absl::StatusOr<const Architecture*> DetectArchitectureBytes(absl::Span<const uint8_t> file) {
  const auto raw = ListNamedTensors(file);
  if (!raw.ok()) return raw.status();
  std::string faults;
  if (const Architecture* fitting = FindFitting(*raw, faults)) return fitting;
  return absl::InvalidArgumentError(absl::StrCat("fits no known architecture", faults));
}

}  // namespace bitplex::checkpoint
