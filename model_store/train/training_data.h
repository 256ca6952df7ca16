// The images that a run trains on and is measured on.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "model_store/dataset/cifar.h"
#include "model_store/fuse/presets.h"

namespace bitplex {

struct TrainingData {
  const Preset* preset = nullptr;  // Mean and deviation; valid for the whole run.
  CifarImages train;
  CifarImages holdout;  // Taken from the end of the training set; empty when none was asked for.
  CifarImages test;
  std::string train_digests;  // "NAME=SHA-256" of each file, joined by commas.
  std::string test_digests;

  size_t classes() const { return preset->labels.size(); }
};

// Reads the set of `task` ("cifar10" or "cifar100") from `folder`: the official files (there, or in
// the folder that their archive unpacks to), or train.bin and test.bin in the same layout. The last
// `holdout` training images are kept apart. NOT_FOUND and INVALID_ARGUMENT say which file is
// missing, short or damaged, and where to get the set, with its md5.
absl::StatusOr<TrainingData> LoadTrainingData(const std::string& task, const std::string& folder,
                                              size_t holdout);

}  // namespace bitplex
