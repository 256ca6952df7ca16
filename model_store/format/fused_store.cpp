#include "model_store/format/fused_store.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model_store/format/container.h"

namespace bitplex {

absl::StatusOr<std::shared_ptr<const FusedStore>> FusedStore::Open(const std::string& path) {
  const auto in_file = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return in_file(file.status());
  if (file->contents().empty()) return in_file(absl::InvalidArgumentError("the file is empty"));
  // Not make_shared: the constructor is private.
  const std::shared_ptr<FusedStore> store(new FusedStore(path, *std::move(file)));
  if (absl::Status status = store->Load(); !status.ok()) return in_file(status);
  return store;
}

absl::Status FusedStore::Load() {
  absl::StatusOr<format::Container> container = format::ReadContainer(mapping());
  if (!container.ok()) return container.status();
  records_ = std::move(container->records);
  // The header's checksum covers those of the metadata and of the records, which cover the rest.
  id_ = absl::StrCat(absl::Hex(container->header.header_checksum, absl::kZeroPad16));

  absl::StatusOr<StoreMetadata> metadata = MetadataFromJson(container->metadata);
  if (!metadata.ok()) return metadata.status();
  metadata_ = *std::move(metadata);
  if (metadata_.tasks.size() != container->header.task_count) {
    return absl::DataLossError(absl::StrCat("the header counts ", container->header.task_count,
                                            " tasks, the metadata ", metadata_.tasks.size()));
  }
  const auto arch = FindArchitecture(metadata_.architecture);
  if (!arch.ok()) {
    return absl::UnimplementedError(absl::StrCat(arch.status().message(), "; use a newer Bitplex"));
  }
  arch_ = *arch;
  absl::StatusOr<std::vector<format::IndexedTask>> indexed =
      format::IndexTasks(*arch_, metadata_, records_, mapping());
  if (!indexed.ok()) return indexed.status();
  indexed_ = *std::move(indexed);
  return absl::OkStatus();
}

absl::StatusOr<size_t> FusedStore::FindTask(std::string_view name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < tasks().size(); ++i) {
    if (tasks()[i].name == name) return i;
    names.push_back(tasks()[i].name);
  }
  return absl::NotFoundError(absl::StrCat("there is no task '", std::string(name), "' in ", path_,
                                          "; it has ", absl::StrJoin(names, ", ")));
}

uint64_t Float32ModelBytes(const Architecture& arch, const TaskInfo& task) {
  return arch.parameter_count(task.labels.size()) * sizeof(float);
}

}  // namespace bitplex
