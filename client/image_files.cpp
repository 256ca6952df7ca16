#include "client/image_files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <istream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffixes[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
constexpr size_t kChunkBytes = size_t{64} << 10;

bool HasImageSuffix(const fs::path& path) {
  const std::string suffix = absl::AsciiStrToLower(path.extension().string());
  return std::find(std::begin(kSuffixes), std::end(kSuffixes), suffix) != std::end(kSuffixes);
}

// Appends the folder's images, or one input that says what is wrong with it.
void AppendFolder(const std::string& folder, std::vector<ImageInput>& inputs) {
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;  // A file that vanished meanwhile is no regular file.
    if (HasImageSuffix(it->path()) && it->is_regular_file(ignored)) {
      files.push_back(it->path().string());
    }
  }
  if (error) {
    const std::string message = absl::StrCat(folder, ": cannot list the folder");
    inputs.push_back({folder, absl::ErrnoToStatus(error.value(), message)});
  } else if (files.empty()) {
    inputs.push_back({folder, absl::NotFoundError(
                                  absl::StrCat(folder,
                                               ": no image in this folder; files must end in .jpg, "
                                               ".jpeg, .png, .webp or .bmp, and subfolders are not "
                                               "searched"))});
  }
  std::sort(files.begin(), files.end());
  for (std::string& file : files) inputs.push_back({std::move(file), absl::OkStatus()});
}

absl::StatusOr<std::string> ReadAll(const std::string& name, std::istream& stream) {
  std::string bytes;
  while (stream && bytes.size() <= kMaxImageBytes) {
    const size_t size = bytes.size();
    bytes.resize(size + kChunkBytes);
    stream.read(bytes.data() + size, static_cast<std::streamsize>(kChunkBytes));
    bytes.resize(size + static_cast<size_t>(stream.gcount()));
  }
  if (bytes.size() > kMaxImageBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": more than ", kMaxImageBytes, " bytes; make the image smaller"));
  }
  if (stream.bad()) return absl::DataLossError(absl::StrCat(name, ": reading failed"));
  if (bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": empty; an image file is needed"));
  }
  return bytes;
}

}  // namespace

std::vector<ImageInput> ExpandImageArguments(const std::vector<std::string>& arguments) {
  std::vector<ImageInput> inputs;
  bool standard_input = false;
  for (const std::string& argument : arguments) {
    std::error_code ignored;  // What cannot be examined is reported when it is read.
    if (argument == "-") {
      inputs.push_back({argument, standard_input
                                      ? absl::InvalidArgumentError(
                                            "-: standard input holds one image; give - once")
                                      : absl::OkStatus()});
      standard_input = true;
    } else if (fs::is_directory(argument, ignored)) {
      AppendFolder(argument, inputs);
    } else {
      inputs.push_back({argument, absl::OkStatus()});
    }
  }
  return inputs;
}

absl::StatusOr<std::string> ReadImage(const std::string& file, std::istream& standard_input) {
  if (file == "-") return ReadAll("-", standard_input);
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    const int cause = errno == 0 ? EIO : errno;
    return absl::ErrnoToStatus(cause, absl::StrCat(file, ": cannot open the file"));
  }
  return ReadAll(file, stream);
}

}  // namespace bitplex
