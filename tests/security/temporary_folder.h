// A folder of a test's own, which nobody else can read.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace bitplex::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bitplex.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) abort();
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }

  // Replaces the file whole, by renaming. Returns its path.
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = Path(name);
    const std::string fresh = path + ".new";
    std::ofstream(fresh, std::ios::binary) << text;
    std::filesystem::permissions(fresh, std::filesystem::perms(0600));
    std::filesystem::rename(fresh, path);
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace bitplex::test
