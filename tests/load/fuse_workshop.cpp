#include "tests/load/fuse_workshop.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/safetensors_writer.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::load {
namespace {

namespace fs = std::filesystem;
constexpr size_t kClasses = 3;

void WriteCheckpoint(const std::string& path, uint32_t seed) {
  const Checkpoint checkpoint = test::RandomCheckpoint(test::TinyArch(), kClasses, seed);
  std::vector<checkpoint::NamedTensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) tensors.push_back({name, &tensor});
  const absl::Status status = checkpoint::WriteSafetensors(path, tensors, {});
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

FuseWorkshop::FuseWorkshop() : folder_(test::TempPath("fuse")) {
  fs::create_directory(folder_);
  std::ofstream(Path("labels")) << "red\ngreen\nblue\n";
  for (uint32_t which = 0; which < 2; ++which) {
    for (uint32_t task = 0; task < 2; ++task)
      WriteCheckpoint(Path(absl::StrCat(which, task, ".safetensors")), 10 * which + task);
  }
  for (const size_t which : {1, 0}) {
    Fuse(which);
    stores_[which] = test::ReadBytes(store());
  }
}

FuseWorkshop::~FuseWorkshop() { fs::remove_all(folder_); }

std::vector<std::string> FuseWorkshop::FuseArguments(size_t which, const std::string& out) const {
  std::vector<std::string> arguments = {"fuse", "--arch", "resnet10-tiny", "--out",
                                        out.empty() ? store() : out};
  for (const int task : {0, 1}) {
    const std::string checkpoint = Path(absl::StrCat(which, task, ".safetensors"));
    arguments.push_back("--task");
    arguments.push_back(absl::StrCat("task", task, "=", checkpoint, ",bits=8,labels=",
                                     Path("labels"), ",mean=0.5,0.5,0.5,std=0.25,0.25,0.25"));
  }
  return arguments;
}

void FuseWorkshop::Fuse(size_t which) const {
  test::ChildProcess tool("bitplex", FuseArguments(which));
  if (tool.Wait() == 0) return;
  std::fprintf(stderr, "%s", tool.output().c_str());
  std::abort();
}

std::optional<size_t> FuseWorkshop::Which() const {
  const std::vector<uint8_t> bytes = test::ReadBytes(store());
  for (const size_t which : {0, 1}) {
    if (bytes == stores_[which]) return which;
  }
  return std::nullopt;
}

std::vector<std::string> FuseWorkshop::LeftOvers() const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string path = entry.path().string();
    if (absl::StartsWith(path, store() + ".tmp.")) found.push_back(path);
  }
  return found;
}

}  // namespace bitplex::load
