#include "model_store/checkpoint/state_dict.h"

#include <cstddef>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model_store/checkpoint/raw_tensors.h"
#include "model_store/checkpoint/torch_tensor.h"

namespace bitplex::checkpoint {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kDeepestTree = 64;           // Modules within modules.
constexpr size_t kMostTreeEntries = 100'000;  // Attributes looked at.
constexpr size_t kLongestName = 1024;         // Characters.

// The keys that training scripts file a state dict under, beside epoch, accuracy and optimizer.
constexpr std::string_view kStateDictKeys[] = {"state_dict", "model_state_dict", "model", "net"};

bool IsDict(const Pickle& pickle, PickleId id) {
  const PickleValue& value = pickle[id];
  return value.kind == Kind::kDict ||
         (value.kind == Kind::kObject &&
          (!value.items.empty() || pickle[value.callable].IsGlobal("collections", "OrderedDict")));
}

// The value under a text key; kNoPickle when there is none.
PickleId Lookup(const Pickle& pickle, PickleId dict, std::string_view key) {
  const std::vector<PickleId>& items = pickle[dict].items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (pickle[items[i]].kind == Kind::kText && pickle[items[i]].text == key) return items[i + 1];
  }
  return kNoPickle;
}

// The dict of an object's attributes; kNoPickle for anything else.
PickleId Attributes(const Pickle& pickle, PickleId id) {
  const PickleValue& value = pickle[id];
  if (value.kind != Kind::kObject || value.state == kNoPickle) return kNoPickle;
  return pickle[value.state].kind == Kind::kDict ? value.state : kNoPickle;
}

// Collects tensors with dotted names. Values may be shared and cyclic, hence the bounds.
class Collector {
 public:
  explicit Collector(const Pickle& pickle) : pickle_(pickle) {}

  absl::Status Collect(PickleId id, const std::string& prefix, size_t depth) {
    if (depth > kDeepestTree) return TooLarge();
    if (IsDict(pickle_, id)) return CollectTensors(id, prefix);
    const PickleId attributes = Attributes(pickle_, id);
    if (attributes == kNoPickle) return absl::OkStatus();
    const PickleId modules = Lookup(pickle_, attributes, "_modules");
    if (modules == kNoPickle || !IsDict(pickle_, modules)) {  // TorchScript.
      if (auto status = CollectTensors(attributes, prefix); !status.ok()) return status;
      return CollectModules(attributes, prefix, depth);
    }
    for (const std::string_view kind : {"_parameters", "_buffers"}) {  // nn.Module.
      const PickleId tensors = Lookup(pickle_, attributes, kind);
      if (tensors == kNoPickle || !IsDict(pickle_, tensors)) continue;
      if (auto status = CollectTensors(tensors, prefix); !status.ok()) return status;
    }
    return CollectModules(modules, prefix, depth);
  }

  std::vector<NamedTensor> Take() { return std::move(found_); }

 private:
  static absl::Status TooLarge() {
    return absl::InvalidArgumentError(
        "the checkpoint's objects are nested deeper, named longer or more in number than a "
        "network's; save model.state_dict() alone");
  }

  // Calls visit(name, value) for each entry with a text key.
  template <typename Visit>
  absl::Status ForEach(PickleId dict, const std::string& prefix, Visit visit) {
    const std::vector<PickleId>& items = pickle_[dict].items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (++entries_seen_ > kMostTreeEntries) return TooLarge();
      const PickleValue& key = pickle_[items[i]];
      if (key.kind != Kind::kText) continue;
      if (prefix.size() + key.text.size() > kLongestName) return TooLarge();
      if (auto status = visit(absl::StrCat(prefix, std::string(key.text)), items[i + 1]);
          !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status CollectTensors(PickleId dict, const std::string& prefix) {
    return ForEach(dict, prefix, [this](std::string name, PickleId value) {
      const PickleId tensor = FindTensor(pickle_, value);
      if (tensor != kNoPickle) found_.push_back({std::move(name), tensor});
      return absl::OkStatus();
    });
  }

  absl::Status CollectModules(PickleId dict, const std::string& prefix, size_t depth) {
    return ForEach(dict, prefix, [this, depth](const std::string& name, PickleId value) {
      if (Attributes(pickle_, value) == kNoPickle || IsDict(pickle_, value))
        return absl::OkStatus();
      return Collect(value, name + ".", depth + 1);
    });
  }

  const Pickle& pickle_;
  std::vector<NamedTensor> found_;
  size_t entries_seen_ = 0;
};

// For the message when nothing was found.
std::string Keys(const Pickle& pickle, PickleId id) {
  constexpr size_t kMostShown = 8;
  std::vector<std::string> keys;
  if (IsDict(pickle, id)) {
    const std::vector<PickleId>& items = pickle[id].items;
    for (size_t i = 0; i + 1 < items.size() && keys.size() < kMostShown; i += 2) {
      if (pickle[items[i]].kind == Kind::kText) keys.push_back(Printable(pickle[items[i]].text));
    }
  }
  return keys.empty() ? "" : absl::StrCat(" (its keys: ", absl::StrJoin(keys, ", "), ")");
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> FindStateDict(const Pickle& pickle) {
  std::vector<PickleId> candidates;
  if (IsDict(pickle, pickle.root())) {
    for (const std::string_view key : kStateDictKeys) {
      const PickleId nested = Lookup(pickle, pickle.root(), key);
      if (nested != kNoPickle) candidates.push_back(nested);
    }
  }
  candidates.push_back(pickle.root());
  for (const PickleId candidate : candidates) {
    Collector collector(pickle);
    if (auto status = collector.Collect(candidate, "", 0); !status.ok()) return status;
    std::vector<NamedTensor> found = collector.Take();
    if (!found.empty()) return found;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the checkpoint holds no state dict", Keys(pickle, pickle.root()),
      "; save model.state_dict(), alone or under the key state_dict, model or net (a frozen "
      "TorchScript module has lost its parameters' names)"));
}

}  // namespace bitplex::checkpoint
