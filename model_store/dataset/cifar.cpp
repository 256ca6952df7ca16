#include "model_store/dataset/cifar.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

constexpr size_t kPlaneBytes = kCifarPixels * kCifarPixels;

void Interleave(const uint8_t* planes, uint8_t* rgb) {
  for (size_t p = 0; p < kPlaneBytes; ++p) {
    for (size_t c = 0; c < 3; ++c) rgb[3 * p + c] = planes[c * kPlaneBytes + p];
  }
}

}  // namespace

absl::StatusOr<CifarImages> ReadCifar(const std::string& path, size_t classes, size_t limit) {
  struct stat info {};
  std::ifstream file;
  // Asked before opening: a pipe would wait for a writer.
  if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) file.open(path, std::ios::binary);
  if (!file.is_open()) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file, or it cannot be read"));
  }
  const size_t label_bytes = classes > 10 ? 2 : 1;
  const size_t record_bytes = label_bytes + kCifarImageBytes;
  const size_t file_bytes = static_cast<size_t>(info.st_size);
  if (file_bytes == 0 || file_bytes % record_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", file_bytes, " bytes are no whole number of CIFAR records of ",
                     record_bytes, " bytes (", label_bytes, " label bytes for ", classes,
                     " classes, then 3072 pixels); give the file of this task's data set, whole"));
  }
  size_t count = file_bytes / record_bytes;
  if (limit != 0) count = std::min(count, limit);
  CifarImages images;
  images.labels.resize(count);
  images.rgb.resize(count * kCifarImageBytes);
  std::vector<uint8_t> record(record_bytes);
  for (size_t i = 0; i < count; ++i) {
    if (!file.read(reinterpret_cast<char*>(record.data()),
                   static_cast<std::streamsize>(record_bytes))) {
      return absl::DataLossError(absl::StrCat(path, ": reading record ", i, " failed"));
    }
    const uint8_t label = record[label_bytes - 1];
    if (label >= classes) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": record ", i, " has label ", label,
                                                     ", but the task has ", classes, " classes"));
    }
    images.labels[i] = label;
    Interleave(record.data() + label_bytes, images.rgb.data() + i * kCifarImageBytes);
  }
  return images;
}

}  // namespace bitplex
