#include "server/service/oip/tensor_data.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace bitplex::oip {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are read in place");

using Contents = inference::InferTensorContents;

absl::Status Invalid(const std::string& fault) {
  return absl::InvalidArgumentError(absl::StrCat("tensor 'image': ", fault));
}

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Elements in the field of another type are a mistake, though the field of the right one be full.
absl::Status CheckTyped(const Contents& contents, const char* field, size_t have, size_t want) {
  std::vector<const google::protobuf::FieldDescriptor*> used;
  contents.GetReflection()->ListFields(contents, &used);
  for (const google::protobuf::FieldDescriptor* other : used) {
    if (other->name() == field) continue;
    return Invalid(absl::StrCat("the contents have elements in ", other->name(),
                                "; for its datatype they belong in ", field));
  }
  if (have == want) return absl::OkStatus();
  return Invalid(absl::StrCat(field, " has ", have, " elements; its shape takes ", want,
                              ", or send raw_input_contents"));
}

absl::Status CheckRaw(const std::string& raw, size_t want_bytes) {
  if (raw.size() == want_bytes) return absl::OkStatus();
  return Invalid(absl::StrCat("raw_input_contents has ", raw.size(),
                              " bytes; its shape and datatype take ", want_bytes));
}

}  // namespace

absl::StatusOr<TensorData> FindTensorData(const inference::ModelInferRequest& request) {
  const inference::ModelInferRequest::InferInputTensor& input = request.inputs(0);
  if (request.raw_input_contents().empty()) return TensorData{.typed = &input.contents()};
  if (request.raw_input_contents_size() != 1) {
    return Invalid(absl::StrCat("raw_input_contents has ", request.raw_input_contents_size(),
                                " entries for 1 input; send one for each input"));
  }
  if (input.contents().ByteSizeLong() != 0) {
    return Invalid("it has both contents and raw_input_contents; send one of them");
  }
  return TensorData{.raw = &request.raw_input_contents(0)};
}

absl::StatusOr<absl::Span<const uint8_t>> ReadUint8(const TensorData& data, size_t count,
                                                    std::vector<uint8_t>& storage) {
  if (data.raw != nullptr) {
    if (absl::Status status = CheckRaw(*data.raw, count); !status.ok()) return status;
    return Bytes(*data.raw);
  }
  const auto& values = data.typed->uint_contents();
  if (absl::Status status =
          CheckTyped(*data.typed, "uint_contents", static_cast<size_t>(values.size()), count);
      !status.ok()) {
    return status;
  }
  storage.reserve(count);
  for (const uint32_t value : values) {
    if (value > UINT8_MAX) {
      return Invalid(absl::StrCat("element ", storage.size(), " of uint_contents is ", value,
                                  "; UINT8 ends at 255"));
    }
    storage.push_back(static_cast<uint8_t>(value));
  }
  return absl::MakeConstSpan(storage);
}

absl::StatusOr<std::vector<float>> ReadFloats(const TensorData& data, size_t count) {
  std::vector<float> values;
  if (data.raw != nullptr) {
    // `count` comes from a shape of bounded sides, so this product does not overflow.
    absl::Status status = CheckRaw(*data.raw, count * sizeof(float));
    if (!status.ok()) return status;
    values.resize(count);
    std::memcpy(values.data(), data.raw->data(), data.raw->size());
  } else {
    const auto& typed = data.typed->fp32_contents();
    absl::Status status =
        CheckTyped(*data.typed, "fp32_contents", static_cast<size_t>(typed.size()), count);
    if (!status.ok()) return status;
    values.assign(typed.begin(), typed.end());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return Invalid(absl::StrCat("element ", i, " is ", values[i], "; send finite values"));
  }
  return values;
}

absl::StatusOr<std::vector<absl::Span<const uint8_t>>> ReadByteStrings(const TensorData& data,
                                                                       size_t count) {
  std::vector<absl::Span<const uint8_t>> strings;
  if (data.raw == nullptr) {
    const auto& typed = data.typed->bytes_contents();
    if (absl::Status status =
            CheckTyped(*data.typed, "bytes_contents", static_cast<size_t>(typed.size()), count);
        !status.ok()) {
      return status;
    }
    for (const std::string& text : typed) strings.push_back(Bytes(text));
    return strings;
  }
  absl::Span<const uint8_t> rest = Bytes(*data.raw);
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    if (rest.size() < sizeof(length)) {
      return Invalid(absl::StrCat("raw_input_contents ends before the length of element ", i,
                                  "; its shape takes ", count, " elements"));
    }
    std::memcpy(&length, rest.data(), sizeof(length));
    rest.remove_prefix(sizeof(length));
    if (length > rest.size()) {
      return Invalid(absl::StrCat("element ", i, " of raw_input_contents says it has ", length,
                                  " bytes; ", rest.size(), " are left"));
    }
    strings.push_back(rest.first(length));
    rest.remove_prefix(length);
  }
  if (!rest.empty()) {
    return Invalid(absl::StrCat("raw_input_contents has ", rest.size(), " bytes after its ", count,
                                " elements; the shape says how many there are"));
  }
  return strings;
}

}  // namespace bitplex::oip
