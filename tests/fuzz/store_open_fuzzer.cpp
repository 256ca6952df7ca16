// Any bytes as a store file, as they are and with their checksums made good, through
// FusedStore::Open; and what an open store promises.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model_store/format/fused_store.h"
#include "tests/fuzz/mend_store.h"

namespace bitplex {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// A file in memory alone.
class File {
 public:
  explicit File(absl::Span<const uint8_t> bytes) : fd_(memfd_create("store", MFD_CLOEXEC)) {
    Require(fd_ >= 0 &&
            write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~File() { close(fd_); }
  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }

 private:
  const int fd_;
};

void Open(absl::Span<const uint8_t> bytes) {
  const File file(bytes);
  const auto store = FusedStore::Open(file.path());
  if (!store.ok()) {
    Require(!store.status().message().empty());
    return;
  }
  Require((*store)->id().size() == 16 && !(*store)->tasks().empty());
  Require((*store)->mapping().size() == bytes.size());
  for (size_t task = 0; task < (*store)->tasks().size(); ++task) {
    const TaskInfo& info = (*store)->tasks()[task];
    Require((*store)->FindTask(info.name).value_or(task + 1) == task && !info.labels.empty());
    // What two tasks share is counted for neither or in part.
    Require((*store)->TaskBytes(task) <= bytes.size());
    const TaskView view = (*store)->View(task, Reading::kMask);
    Require(view.mantissa_bits() >= 1 && view.mantissa_bits() <= 24);
  }
}

}  // namespace
}  // namespace bitplex

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file(data, data + size);
  bitplex::Open(file);
  bitplex::fuzz::MendStore(absl::MakeSpan(file));
  bitplex::Open(file);
  return 0;
}
