#include "model_store/checkpoint/names.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bitplex::checkpoint {
namespace {

// How many characters of wrappers' prefixes all names begin with. DataParallel, a Lightning module
// and torch.compile may wrap one another.
size_t SharedPrefix(const std::map<std::string, TensorEntry>& entries) {
  constexpr int kDeepestWrapping = 8;
  size_t length = 0;
  for (int depth = 0; depth < kDeepestWrapping && !entries.empty(); ++depth) {
    size_t longer = length;
    for (const std::string_view prefix : {"module.", "model.", "_orig_mod."}) {
      if (std::ranges::all_of(entries, [&](const auto& entry) {
            return std::string_view(entry.first).substr(length).starts_with(prefix);
          })) {
        longer = length + prefix.size();
      }
    }
    if (longer == length) break;
    length = longer;
  }
  return length;
}

std::string TorchvisionName(std::string name) {
  constexpr std::string_view kShortcut = ".shortcut.";
  if (const size_t at = name.find(kShortcut); at != std::string::npos) {
    name.replace(at, kShortcut.size(), ".downsample.");
  }
  if (name.starts_with("linear.")) name.replace(0, 6, "fc");
  return name;
}

}  // namespace

bool IsIgnoredName(std::string_view name) { return name.ends_with("num_batches_tracked"); }

absl::Status UseTorchvisionNames(RawTensors& raw) {
  std::erase_if(raw.entries, [](const auto& entry) { return IsIgnoredName(entry.first); });
  const size_t prefix = SharedPrefix(raw.entries);
  std::map<std::string, TensorEntry> renamed;
  std::map<std::string, std::string> sources;
  for (auto& [source, entry] : raw.entries) {
    const std::string name = TorchvisionName(source.substr(prefix));
    if (!renamed.emplace(name, std::move(entry)).second) {
      return absl::InvalidArgumentError(absl::StrCat("tensors ", Printable(sources[name]), " and ",
                                                     Printable(source), " are both read as ",
                                                     Printable(name), "; remove one of them"));
    }
    sources.emplace(name, source);
  }
  raw.entries = std::move(renamed);
  return absl::OkStatus();
}

}  // namespace bitplex::checkpoint
