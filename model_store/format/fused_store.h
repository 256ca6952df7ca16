// An open store: a file mapped read-only, validated once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model_store/arch/architecture.h"
#include "model_store/format/layout.h"
#include "model_store/format/task_info.h"
#include "model_store/format/task_views.h"
#include "model_store/util/mapped_file.h"
#include "model_store/view/task_view.h"

namespace bitplex {

// Immutable after Open; any number of threads may use it. Views from it point into the mapping and
// live no longer than the store.
class FusedStore {
 public:
  // Checks everything that FORMAT.md demands, checksums included, so that nothing can fail later.
  // Errors name the file, the place in it and the remedy: NOT_FOUND or another code with the
  // system's reason; DATA_LOSS for a file that is no store or is damaged; UNIMPLEMENTED for a newer
  // version or an architecture that this build does not know.
  static absl::StatusOr<std::shared_ptr<const FusedStore>> Open(const std::string& path);

  const std::string& path() const { return path_; }
  // 16 hexadecimal digits that change with any change of the content.
  const std::string& id() const { return id_; }
  const Architecture& arch() const { return *arch_; }
  const StoreMetadata& metadata() const { return metadata_; }
  const std::vector<TaskInfo>& tasks() const { return metadata_.tasks; }
  absl::Span<const uint8_t> mapping() const { return file_.contents(); }
  // False once the file was written to or cut since Open. Weights read meanwhile are not to be used:
  // see MappedFile::Unchanged.
  bool Unchanged() const { return file_.Unchanged(); }
  const FileIdentity& identity() const { return file_.identity(); }
  const std::vector<format::Record>& records() const { return records_; }

  // The task's index, or NOT_FOUND with the names of those there are.
  absl::StatusOr<size_t> FindTask(std::string_view name) const;

  // `task` is below tasks().size().
  TaskView View(size_t task, Reading reading) const {
    return indexed_[task].view.WithReading(reading);
  }

  // Bytes that are this task's: its field of the words (count x bits / 8, rounded up for each
  // tensor), sign planes, exponents, and the tensors that are its alone.
  uint64_t TaskBytes(size_t task) const { return indexed_[task].bytes; }

 private:
  FusedStore(std::string path, MappedFile file) : path_(std::move(path)), file_(std::move(file)) {}
  absl::Status Load();

  const std::string path_;
  const MappedFile file_;
  std::string id_;
  StoreMetadata metadata_;
  const Architecture* arch_ = nullptr;
  std::vector<format::Record> records_;
  std::vector<format::IndexedTask> indexed_;
};

// What one task's own float32 network holds: all its parameters and statistics.
uint64_t Float32ModelBytes(const Architecture& arch, const TaskInfo& task);

}  // namespace bitplex
