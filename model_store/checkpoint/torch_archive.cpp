#include "model_store/checkpoint/torch_archive.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/names.h"
#include "model_store/checkpoint/pickle.h"
#include "model_store/checkpoint/state_dict.h"
#include "model_store/checkpoint/torch_tensor.h"
#include "model_store/checkpoint/zip_archive.h"

namespace bitplex::checkpoint {
namespace {

// The storages of an archive; the last one read is kept, as neighbours often share one.
class Storages {
 public:
  explicit Storages(std::unique_ptr<ZipArchive> archive) : archive_(std::move(archive)) {}

  absl::StatusOr<absl::Span<const uint8_t>> Read(uint64_t index) {
    if (index_ != index) {
      index_.reset();
      auto bytes = archive_->Read(index);
      if (!bytes.ok()) return bytes.status();
      bytes_ = *std::move(bytes);
      index_ = index;
    }
    return bytes_;
  }

 private:
  std::unique_ptr<ZipArchive> archive_;
  std::optional<uint64_t> index_;
  std::vector<uint8_t> bytes_;
};

// All entries lie in one folder, named after the file when it was saved.
absl::StatusOr<std::string> FindFolder(const ZipArchive& archive) {
  std::optional<std::string> folder;
  bool is_old_torchscript = false;
  for (const auto& [name, index] : archive.entries()) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) continue;
    const std::string_view rest = std::string_view(name).substr(slash + 1);
    is_old_torchscript = is_old_torchscript || rest == "model.json";
    if (rest != "data.pkl") continue;
    if (folder) return absl::DataLossError("the zip file holds two files data.pkl");
    folder = name.substr(0, slash + 1);
  }
  if (folder) return *std::move(folder);
  if (is_old_torchscript) {
    return absl::InvalidArgumentError(
        "is a TorchScript archive of PyTorch before 1.4; load it and save its state_dict() with "
        "PyTorch 1.6 or newer");
  }
  return absl::InvalidArgumentError(
      "is a zip file but no PyTorch checkpoint: it has no data.pkl; save model.state_dict() with "
      "torch.save");
}

absl::Status CheckByteOrder(const ZipArchive& archive, const std::string& folder) {
  const auto entry = archive.entries().find(absl::StrCat(folder, "byteorder"));
  if (entry == archive.entries().end()) return absl::OkStatus();
  const auto bytes = archive.Read(entry->second);
  if (!bytes.ok()) return bytes.status();
  const std::string_view order(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  if (order == "little") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("was saved in byte order ", Printable(order),
                                                 "; save it on a little-endian machine"));
}

absl::Status AddTensor(const ZipArchive& archive, const std::string& folder, const Pickle& pickle,
                       const NamedTensor& named, RawTensors& raw) {
  if (IsIgnoredName(named.name)) return absl::OkStatus();
  auto tensor = ParseTensor(pickle, named.tensor, named.name);
  if (!tensor.ok()) return tensor.status();
  const std::string path = absl::StrCat(folder, "data/", tensor->storage_key);
  const auto entry = archive.entries().find(path);
  if (entry == archive.entries().end()) {
    return absl::DataLossError(absl::StrCat("the storage ", Printable(path), " of tensor ",
                                            Printable(named.name), " is missing from the file"));
  }
  const auto size = archive.Size(entry->second);
  if (!size.ok()) return size.status();
  if (tensor->storage_elements > *size / ElementBytes(tensor->entry.type)) {
    return absl::DataLossError(
        absl::StrCat("the storage ", Printable(path), " of tensor ", Printable(named.name), " has ",
                     *size, " bytes, too few for its ", tensor->storage_elements, " elements of ",
                     ElementBytes(tensor->entry.type), " bytes"));
  }
  tensor->entry.storage = entry->second;
  if (!raw.entries.emplace(named.name, std::move(tensor->entry)).second) {
    return absl::DataLossError(absl::StrCat("tensor ", Printable(named.name), " is listed twice"));
  }
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeZip(absl::Span<const uint8_t> file) {
  return file.size() >= 4 && file[0] == 'P' && file[1] == 'K' && file[2] == 3 && file[3] == 4;
}

bool LooksLikePickle(absl::Span<const uint8_t> file) {
  return file.size() >= 2 && file[0] == 0x80 && file[1] >= 2 && file[1] <= 5;
}

absl::StatusOr<RawTensors> ReadTorchArchive(absl::Span<const uint8_t> file) {
  auto archive = ZipArchive::Open(file);
  if (!archive.ok()) return archive.status();
  const auto folder = FindFolder(**archive);
  if (!folder.ok()) return folder.status();
  if (auto status = CheckByteOrder(**archive, *folder); !status.ok()) return status;

  const auto pickled =
      (*archive)->Read((*archive)->entries().at(absl::StrCat(*folder, "data.pkl")));
  if (!pickled.ok()) return pickled.status();
  const auto pickle = ReadPickle(*pickled);
  if (!pickle.ok()) return pickle.status();
  const auto tensors = FindStateDict(*pickle);
  if (!tensors.ok()) return tensors.status();

  RawTensors raw;
  for (const NamedTensor& named : *tensors) {
    auto status = AddTensor(**archive, *folder, *pickle, named, raw);
    if (!status.ok()) return status;
  }
  auto storages = std::make_shared<Storages>(*std::move(archive));
  raw.storage = [storages](uint64_t index) { return storages->Read(index); };
  return raw;
}

}  // namespace bitplex::checkpoint
