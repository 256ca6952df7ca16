// Reads Python's pickle format into a table of plain values. Nothing is imported or called: a
// function call or an object becomes a record of what would have been called, with its arguments.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace bitplex::checkpoint {

// Index of a value. Values refer to one another by index and may form cycles, so every walk over
// them needs a bound of its own.
using PickleId = uint32_t;
inline constexpr PickleId kNoPickle = UINT32_MAX;

struct PickleValue {
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kScalar,  // A float, or an integer beyond 64 bits; its value is not kept.
    kText,    // str or bytes.
    kTuple,
    kList,
    kDict,
    kSet,
    kGlobal,      // A class or function, by name only.
    kPersistent,  // Stands for something outside the pickle; items[0] is its identifier.
    kObject,      // What calling `callable` with `arguments` would make, then changed by `state`.
  };

  Kind kind = Kind::kNone;
  int64_t integer = 0;               // kBool, kInt.
  std::string_view text = {};        // kText; kGlobal: the name in its module.
  std::string_view module = {};      // kGlobal.
  std::vector<PickleId> items = {};  // Elements; of a kDict or a kObject: key, value, key, value...
  PickleId callable = kNoPickle;
  PickleId arguments = kNoPickle;
  PickleId state = kNoPickle;  // kNoPickle: never set.

  bool IsGlobal(std::string_view module_name, std::string_view name) const {
    return kind == Kind::kGlobal && module == module_name && text == name;
  }
};

class Pickle {
 public:
  const PickleValue& operator[](PickleId id) const { return values_[id]; }
  PickleId root() const { return root_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;
  PickleId root_ = kNoPickle;
};

// Limits for hostile input; a network's state dict stays far below them.
inline constexpr size_t kMostPickleBytes = size_t{64} << 20;
inline constexpr size_t kMostPickleValues = size_t{1} << 20;

// Reads protocols 2 to 5. Texts in the result refer to `bytes`. DATA_LOSS for a damaged pickle,
// INVALID_ARGUMENT beyond the limits. Memory stays below 200 times `bytes`, whatever they are.
absl::StatusOr<Pickle> ReadPickle(absl::Span<const uint8_t> bytes);

}  // namespace bitplex::checkpoint
