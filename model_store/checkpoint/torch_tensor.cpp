#include "model_store/checkpoint/torch_tensor.h"

#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace bitplex::checkpoint {
namespace {

using Kind = PickleValue::Kind;

std::optional<ElementType> StorageType(std::string_view name) {
  if (name == "FloatStorage") return ElementType::kF32;
  if (name == "DoubleStorage") return ElementType::kF64;
  if (name == "HalfStorage") return ElementType::kF16;
  if (name == "BFloat16Storage") return ElementType::kBF16;
  return std::nullopt;
}

// A tuple of whole numbers that are not negative.
std::optional<std::vector<int64_t>> ReadSizes(const Pickle& pickle, PickleId id) {
  const PickleValue& tuple = pickle[id];
  if (tuple.kind != Kind::kTuple && tuple.kind != Kind::kList) return std::nullopt;
  if (tuple.items.size() > kMaxAxes) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const PickleId item : tuple.items) {
    if (pickle[item].kind != Kind::kInt || pickle[item].integer < 0) return std::nullopt;
    sizes.push_back(pickle[item].integer);
  }
  return sizes;
}

}  // namespace

PickleId FindTensor(const Pickle& pickle, PickleId id) {
  constexpr int kDeepestWrapping = 4;  // Of nn.Parameter; once in practice.
  for (int depth = 0; depth < kDeepestWrapping; ++depth) {
    const PickleValue& value = pickle[id];
    if (value.kind != Kind::kObject) return kNoPickle;
    const PickleValue& callable = pickle[value.callable];
    if (callable.IsGlobal("torch._utils", "_rebuild_tensor_v2") ||
        callable.IsGlobal("torch._utils", "_rebuild_tensor")) {
      return id;
    }
    const PickleValue& arguments = pickle[value.arguments];
    const bool is_parameter = callable.IsGlobal("torch._utils", "_rebuild_parameter") ||
                              callable.IsGlobal("torch._utils", "_rebuild_parameter_with_state");
    if (!is_parameter || arguments.kind != Kind::kTuple || arguments.items.empty()) {
      return kNoPickle;
    }
    id = arguments.items[0];
  }
  return kNoPickle;
}

absl::StatusOr<TorchTensor> ParseTensor(const Pickle& pickle, PickleId tensor,
                                        const std::string& name) {
  const auto damaged = [&name](std::string_view what) {
    return absl::DataLossError(absl::StrCat("tensor ", Printable(name), " is damaged: ",
                                            std::string(what), "; save the checkpoint again"));
  };
  // (storage, offset, sizes, strides, ...), all in elements.
  const PickleValue& arguments = pickle[pickle[tensor].arguments];
  if (arguments.kind != Kind::kTuple || arguments.items.size() < 4) {
    return damaged("it is not rebuilt from a storage, an offset, sizes and strides");
  }
  const PickleValue& storage = pickle[arguments.items[0]];
  const PickleValue& offset = pickle[arguments.items[1]];
  auto shape = ReadSizes(pickle, arguments.items[2]);
  auto strides = ReadSizes(pickle, arguments.items[3]);
  if (storage.kind != Kind::kPersistent) return damaged("it names no storage");
  if (offset.kind != Kind::kInt || offset.integer < 0) return damaged("its offset is no number");
  if (!shape || !strides || shape->size() != strides->size()) {
    return damaged("its sizes and strides are not one number for each axis");
  }

  // ("storage", type, key, device, elements).
  const PickleValue& id = pickle[storage.items[0]];
  if (id.kind != Kind::kTuple || id.items.size() < 5)
    return damaged("its storage has no identifier");
  const PickleValue& type = pickle[id.items[1]];
  const PickleValue& key = pickle[id.items[2]];
  const PickleValue& elements = pickle[id.items[4]];
  if (type.kind != Kind::kGlobal || key.kind != Kind::kText || elements.kind != Kind::kInt ||
      elements.integer < 0) {
    return damaged("its storage has no type, key and size");
  }
  const std::optional<ElementType> element_type = StorageType(type.text);
  if (!element_type) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", Printable(name), " is held in ", Printable(type.module), ".",
                     Printable(type.text), "; save it as float32, float64, float16 or bfloat16"));
  }
  const auto element_offset = static_cast<uint64_t>(offset.integer);
  if (element_offset > std::numeric_limits<uint64_t>::max() / ElementBytes(*element_type)) {
    return damaged("its offset is beyond any file");
  }
  return TorchTensor{.entry = {.type = *element_type,
                               .shape = *std::move(shape),
                               .strides = *std::move(strides),
                               .storage = 0,
                               .byte_offset = element_offset * ElementBytes(*element_type)},
                     .storage_key = std::string(key.text),
                     .storage_elements = static_cast<uint64_t>(elements.integer)};
}

}  // namespace bitplex::checkpoint
