#include "model_store/checkpoint/raw_tensors.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bitplex::checkpoint {
namespace {

absl::Status CheckBounds(const TensorEntry& entry, size_t storage_bytes) {
  const absl::Status outside = absl::DataLossError(absl::StrCat(
      "a tensor of shape ", ShapeText(entry.shape), ", strides ", ShapeText(entry.strides),
      " and byte offset ", entry.byte_offset, " reaches outside its storage of ", storage_bytes,
      " bytes; the file is damaged"));
  for (const int64_t size : entry.shape) {
    if (size == 0) return absl::OkStatus();  // Nothing is read.
  }
  if (entry.byte_offset > storage_bytes) return outside;
  uint64_t elements = (storage_bytes - entry.byte_offset) / ElementBytes(entry.type);
  if (elements == 0) return outside;
  uint64_t reach = elements - 1;  // The largest allowed distance from the first element.
  for (size_t axis = 0; axis < entry.shape.size(); ++axis) {
    const auto steps = static_cast<uint64_t>(entry.shape[axis] - 1);
    const auto stride = static_cast<uint64_t>(entry.strides[axis]);
    if (stride == 0) continue;
    if (steps > reach / stride) return outside;
    reach -= steps * stride;
  }
  return absl::OkStatus();
}

template <typename Word>
Word Load(const uint8_t* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));  // Storages in a file need not be aligned.
  return word;
}

// Walks the elements in row-major order; `convert` makes a float of an element's bytes.
template <typename Convert>
void Gather(const TensorEntry& entry, const uint8_t* first, std::vector<float>& values,
            Convert convert) {
  const size_t element_bytes = ElementBytes(entry.type);
  const size_t axes = entry.shape.size();
  std::vector<int64_t> index(axes, 0);
  size_t element = 0;
  for (float& value : values) {
    value = convert(first + element * element_bytes);
    for (size_t axis = axes; axis-- > 0;) {
      element += static_cast<size_t>(entry.strides[axis]);
      if (++index[axis] < entry.shape[axis]) break;
      element -= static_cast<size_t>(entry.shape[axis]) * static_cast<size_t>(entry.strides[axis]);
      index[axis] = 0;
    }
  }
}

}  // namespace

std::vector<int64_t> RowMajorStrides(absl::Span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

absl::StatusOr<Tensor> ReadTensor(const RawTensors& raw, const TensorEntry& entry) {
  auto bytes = raw.storage(entry.storage);
  if (!bytes.ok()) return bytes.status();
  if (auto status = CheckBounds(entry, bytes->size()); !status.ok()) return status;
  size_t count = 1;
  for (const int64_t size : entry.shape) count *= static_cast<size_t>(size);

  Tensor tensor{.shape = entry.shape, .values = std::vector<float>(count)};
  if (count == 0) return tensor;
  const uint8_t* first = bytes->data() + entry.byte_offset;
  switch (entry.type) {
    case ElementType::kF32:
      Gather(entry, first, tensor.values, Load<float>);
      break;
    case ElementType::kF64:
      Gather(entry, first, tensor.values,
             [](const uint8_t* from) { return static_cast<float>(Load<double>(from)); });
      break;
    case ElementType::kF16:
      Gather(entry, first, tensor.values,
             [](const uint8_t* from) { return HalfToFloat(Load<uint16_t>(from)); });
      break;
    case ElementType::kBF16:
      Gather(entry, first, tensor.values,
             [](const uint8_t* from) { return BFloat16ToFloat(Load<uint16_t>(from)); });
      break;
  }
  return tensor;
}

std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 120;
  std::string shown =
      absl::CHexEscape(absl::string_view(text.data(), std::min(text.size(), kLongest)));
  if (text.size() > kLongest) shown += "...";
  return shown;
}

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("(", absl::StrJoin(shape, ","), ")");
}

}  // namespace bitplex::checkpoint
