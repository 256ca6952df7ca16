#include "model_store/train/training_data.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/digest.h"

namespace bitplex {
namespace {

namespace fs = std::filesystem;

struct DataSet {
  const char* task;
  const char* folder;  // What the archive unpacks to.
  const char* archive;
  const char* md5;  // Of the archive.
  std::vector<const char*> train;
  const char* test;
};

const std::array<DataSet, 2>& DataSets() {
  static const std::array<DataSet, 2> sets = {
      DataSet{"cifar10",
              "cifar-10-batches-bin",
              "cifar-10-binary.tar.gz",
              "c32a1d4ab5d03f1284b67883e8d87530",
              {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
               "data_batch_5.bin"},
              "test_batch.bin"},
      DataSet{"cifar100",
              "cifar-100-binary",
              "cifar-100-binary.tar.gz",
              "03b5dce01913d631647c71ecec9e9cb8",
              {"train.bin"},
              "test.bin"}};
  return sets;
}

constexpr size_t kOfficialTrainImages = 50'000;
constexpr size_t kOfficialTestImages = 10'000;

std::string Remedy(const DataSet& set) {
  return absl::StrCat("; unpack ", set.archive, " (md5 ", set.md5,
                      ") from https://www.cs.toronto.edu/~kriz/cifar.html and name its folder");
}

// The files of a set and where they lie.
struct Files {
  fs::path folder;
  bool official;  // Their sizes are known.
  std::vector<const char*> train;
  const char* test;
};

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<Files> FindFiles(const DataSet& set, const fs::path& folder) {
  // Of CIFAR-100 the official files have the plain names; only the folder tells them apart.
  std::error_code error;
  const bool is_unpacked = fs::weakly_canonical(folder, error).filename() == set.folder;
  const bool names_differ = std::string(set.test) != "test.bin";
  if (Exists(folder / set.folder)) return Files{folder / set.folder, true, set.train, set.test};
  if (is_unpacked ||
      (names_differ && (Exists(folder / set.train[0]) || Exists(folder / set.test)))) {
    return Files{folder, true, set.train, set.test};
  }
  if (Exists(folder / "train.bin") || Exists(folder / "test.bin")) {
    return Files{folder, false, {"train.bin"}, "test.bin"};
  }
  return absl::NotFoundError(absl::StrCat(folder.string(), " holds neither ", set.folder, " nor ",
                                          set.train[0], " nor train.bin and test.bin",
                                          Remedy(set)));
}

// Adds the images of one file, which has `images` of them (0: any number).
absl::Status Append(const DataSet& set, const fs::path& path, size_t images, size_t classes,
                    CifarImages& all, std::string& digests) {
  const auto annotate = [&](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(status.message(), Remedy(set)));
  };
  const absl::StatusOr<CifarImages> read = ReadCifar(path.string(), classes, 0);
  if (!read.ok()) return annotate(read.status());
  if (images != 0 && read->size() != images) {
    return annotate(absl::InvalidArgumentError(absl::StrCat(
        path.string(), " holds ", read->size(), " images, the official file ", images)));
  }
  const absl::StatusOr<std::string> sha256 = checkpoint::FileSha256(path.string());
  if (!sha256.ok()) return sha256.status();
  absl::StrAppend(&digests, digests.empty() ? "" : ",", path.filename().string(), "=", *sha256);
  all.labels.insert(all.labels.end(), read->labels.begin(), read->labels.end());
  all.rgb.insert(all.rgb.end(), read->rgb.begin(), read->rgb.end());
  return absl::OkStatus();
}

absl::Status SplitHoldout(size_t holdout, TrainingData& data) {
  if (holdout >= data.train.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--val-holdout ", holdout, " leaves nothing of ",
                                                   data.train.size(), " training images"));
  }
  const size_t kept = data.train.size() - holdout;
  const auto labels = data.train.labels.begin() + static_cast<std::ptrdiff_t>(kept);
  const auto rgb = data.train.rgb.begin() + static_cast<std::ptrdiff_t>(kept * kCifarImageBytes);
  data.holdout.labels.assign(labels, data.train.labels.end());
  data.holdout.rgb.assign(rgb, data.train.rgb.end());
  data.train.labels.resize(kept);
  data.train.rgb.resize(kept * kCifarImageBytes);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainingData> LoadTrainingData(const std::string& task, const std::string& folder,
                                              size_t holdout) {
  const DataSet* set = nullptr;
  for (const DataSet& candidate : DataSets()) {
    if (candidate.task == task) set = &candidate;
  }
  TrainingData data;
  data.preset = FindPreset(task);
  if (set == nullptr || data.preset == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("task '", task, "' is unknown; give cifar10 or cifar100"));
  }
  const absl::StatusOr<Files> files = FindFiles(*set, folder);
  if (!files.ok()) return files.status();
  const size_t train_images = files->official ? kOfficialTrainImages / files->train.size() : 0;
  absl::Status status;
  for (const char* name : files->train) {
    if (!status.ok()) return status;
    status = Append(*set, files->folder / name, train_images, data.classes(), data.train,
                    data.train_digests);
  }
  if (!status.ok()) return status;
  status = Append(*set, files->folder / files->test, files->official ? kOfficialTestImages : 0,
                  data.classes(), data.test, data.test_digests);
  if (status.ok()) status = SplitHoldout(holdout, data);
  if (!status.ok()) return status;
  return data;
}

}  // namespace bitplex
