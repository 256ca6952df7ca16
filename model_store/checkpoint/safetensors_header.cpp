#include "model_store/checkpoint/safetensors_header.h"

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/raw_tensors.h"

namespace bitplex::checkpoint {
namespace {

// Receives the parser's events. Returning false stops the parser; `fault_` then says why.
class HeaderEvents {
 public:
  using Number = uint64_t;

  SafetensorsHeader header;
  const std::string& fault() const { return fault_; }

  bool start_object(std::size_t) {
    switch (place_) {
      case Place::kOutside:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        place_ = key_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
        entry_ = {};
        fields_seen_ = 0;
        return true;
      default:
        return Refuse("an object");
    }
  }

  bool end_object() {
    if (place_ == Place::kTensor) {
      if (fields_seen_ != (kDtype | kShape | kOffsets)) {
        return Fault(absl::StrCat("tensor ", Printable(tensor_),
                                  " lacks one of dtype, shape and data_offsets"));
      }
      if (!header.tensors.emplace(tensor_, std::move(entry_)).second) {
        return Fault(absl::StrCat("tensor ", Printable(tensor_), " is listed twice"));
      }
    }
    place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
    return true;
  }

  bool key(std::string& key) {
    key_ = std::move(key);
    if (place_ == Place::kTop) tensor_ = key_;
    if (place_ != Place::kTensor) return true;
    const Field field = key_ == "dtype"          ? kDtype
                        : key_ == "shape"        ? kShape
                        : key_ == "data_offsets" ? kOffsets
                                                 : kNoField;
    if (field == kNoField || (fields_seen_ & field) != 0) {
      return Refuse("an unknown or repeated field");
    }
    fields_seen_ |= field;
    field_ = field;
    return true;
  }

  bool string(std::string& text) {
    if (place_ == Place::kMetadata) {
      if (!header.metadata.emplace(key_, std::move(text)).second) return Refuse("a repeated key");
      return true;
    }
    if (place_ != Place::kTensor || field_ != kDtype) return Refuse("a string");
    entry_.dtype = std::move(text);
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ != Place::kTensor || field_ == kDtype) return Refuse("an array");
    place_ = Place::kNumbers;
    offsets_read_ = 0;
    return true;
  }

  bool end_array() {
    place_ = Place::kTensor;
    if (field_ == kOffsets && offsets_read_ != 2) return Refuse("other than two offsets");
    return true;
  }

  bool number_unsigned(Number number) {
    if (place_ != Place::kNumbers) return Refuse("a number");
    if (field_ == kShape) {
      if (number > std::numeric_limits<int64_t>::max()) return Refuse("a size beyond 63 bits");
      if (entry_.shape.size() == kMaxAxes) return Refuse(absl::StrCat("over ", kMaxAxes, " axes"));
      entry_.shape.push_back(static_cast<int64_t>(number));
      return true;
    }
    if (offsets_read_ == 2) return Refuse("other than two offsets");
    (offsets_read_++ == 0 ? entry_.begin : entry_.end) = number;
    return true;
  }

  bool number_integer(int64_t) { return Refuse("a negative number"); }
  bool number_float(double, const std::string&) { return Refuse("a number that is not whole"); }
  bool boolean(bool) { return Refuse("a boolean"); }
  bool null() { return Refuse("null"); }
  bool binary(std::vector<uint8_t>&) { return Refuse("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    return Fault(absl::StrCat("it is not JSON from its byte ", position, " on"));
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kNumbers };
  enum Field : unsigned { kNoField = 0, kDtype = 1, kShape = 2, kOffsets = 4 };

  bool Fault(std::string fault) {
    fault_ = std::move(fault);
    return false;
  }
  bool Refuse(std::string_view found) {
    return Fault(absl::StrCat("it has ", std::string(found), " under ", Printable(key_),
                              tensor_ == key_ ? "" : absl::StrCat(" of ", Printable(tensor_))));
  }

  std::string fault_;
  Place place_ = Place::kOutside;
  std::string tensor_;  // The key last read at the top.
  std::string key_;     // The key last read.
  SafetensorsHeader::Entry entry_;
  unsigned fields_seen_ = 0;
  Field field_ = kNoField;
  int offsets_read_ = 0;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json) {
  HeaderEvents events;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &events)) {
    return absl::DataLossError(absl::StrCat("the safetensors header is damaged: ", events.fault()));
  }
  return std::move(events.header);
}

}  // namespace bitplex::checkpoint
