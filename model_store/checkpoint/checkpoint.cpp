#include "model_store/checkpoint/checkpoint.h"

#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/checkpoint_bytes.h"
#include "model_store/checkpoint/digest.h"
#include "model_store/util/mapped_file.h"

namespace bitplex {
namespace {

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<MappedFile> OpenCheckpoint(const std::string& path) {
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (file.ok() && file->contents().empty()) {
    return absl::DataLossError("is empty; save or download the checkpoint again");
  }
  return file;
}

}  // namespace

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path, const Architecture& arch) {
  const auto file = OpenCheckpoint(path);
  if (!file.ok()) return InFile(path, file.status());
  auto read = checkpoint::ReadCheckpointBytes(file->contents(), arch);
  if (!read.ok()) return InFile(path, read.status());
  auto sha256 = checkpoint::Sha256(file->contents());
  if (!sha256.ok()) return InFile(path, sha256.status());
  read->sha256 = *std::move(sha256);
  read->file_name = std::filesystem::path(path).filename().string();
  return read;
}

absl::StatusOr<const Architecture*> DetectArchitecture(const std::string& path) {
  const auto file = OpenCheckpoint(path);
  if (!file.ok()) return InFile(path, file.status());
  auto arch = checkpoint::DetectArchitectureBytes(file->contents());
  if (!arch.ok()) return InFile(path, arch.status());
  return arch;
}

}  // namespace bitplex
