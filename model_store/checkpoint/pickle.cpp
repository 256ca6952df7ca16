#include "model_store/checkpoint/pickle.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model_store/checkpoint/pickle_opcodes.h"

namespace bitplex::checkpoint {

using Kind = PickleValue::Kind;
using Op = PickleOpcode;

// Runs the instructions over a stack of values. Every step returns false after setting `fault_`.
class PickleMachine {
 public:
  explicit PickleMachine(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}

  absl::StatusOr<Pickle> Run() {
    for (;;) {
      op_at_ = at_;
      Op op{};
      if (!Read(op)) return fault_;
      if (op == Op::kStop) break;
      if (!Execute(op)) return fault_;
    }
    if (!Pop(pickle_.root_)) return fault_;
    return std::move(pickle_);
  }

 private:
  bool Fault(std::string_view fault) {
    fault_ = absl::DataLossError(
        absl::StrCat("the pickle is damaged at its byte ", op_at_, ": ", std::string(fault)));
    return false;
  }
  bool BeyondLimit(std::string_view what) {
    fault_ = absl::InvalidArgumentError(absl::StrCat("the checkpoint holds more than ",
                                                     kMostPickleValues, " ", std::string(what),
                                                     "; save model.state_dict() alone"));
    return false;
  }

  // Input.

  bool ReadBytes(uint64_t count, std::string_view& bytes) {
    if (count > bytes_.size() - at_) return Fault("it ends within an instruction");
    bytes = {reinterpret_cast<const char*>(bytes_.data()) + at_, static_cast<size_t>(count)};
    at_ += static_cast<size_t>(count);
    return true;
  }
  template <typename Word>
  bool Read(Word& word) {  // Little-endian.
    std::string_view bytes;
    if (!ReadBytes(sizeof(word), bytes)) return false;
    std::memcpy(&word, bytes.data(), sizeof(word));
    return true;
  }
  bool ReadLine(std::string_view& line) {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                bytes_.size() - at_);
    const size_t length = rest.find('\n');
    if (length == std::string_view::npos) return Fault("it ends within a name");
    line = rest.substr(0, length);
    at_ += length + 1;
    return true;
  }

  // The stack.

  bool Push(PickleValue value) {
    if (pickle_.values_.size() == kMostPickleValues)
      return BeyondLimit("objects beside the weights");
    pickle_.values_.push_back(std::move(value));
    return PushId(static_cast<PickleId>(pickle_.values_.size() - 1));
  }
  bool PushId(PickleId id) {
    if (stack_.size() == kMostPickleValues) return BeyondLimit("objects in one object");
    stack_.push_back(id);
    return true;
  }
  bool HasAboveMark() const { return stack_.size() > (marks_.empty() ? 0 : marks_.back()); }
  bool Pop(PickleId& id) {
    if (!HasAboveMark()) return Fault("an operand is missing (stack underflow)");
    id = stack_.back();
    stack_.pop_back();
    return true;
  }
  bool PopToMark(std::vector<PickleId>& items) {
    if (marks_.empty()) return Fault("there is no mark on the stack");
    items.assign(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return true;
  }
  bool Top(PickleValue*& value) {
    if (!HasAboveMark()) return Fault("an operand is missing (stack underflow)");
    value = &pickle_.values_[stack_.back()];
    return true;
  }

  // Scalars and texts.

  template <typename Word>
  bool PushInt() {
    Word word = 0;
    return Read(word) && Push({.kind = Kind::kInt, .integer = word});
  }
  template <typename Length>
  bool PushLong() {  // Two's complement of any length.
    Length length = 0;
    std::string_view bytes;
    if (!Read(length) || !ReadBytes(length, bytes)) return false;
    if (bytes.size() > sizeof(int64_t)) return Push({.kind = Kind::kScalar});
    const bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
    int64_t value = negative ? -1 : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    return Push({.kind = Kind::kInt, .integer = value});
  }
  template <typename Length>
  bool PushText() {
    Length length = 0;
    std::string_view text;
    return Read(length) && ReadBytes(length, text) && Push({.kind = Kind::kText, .text = text});
  }

  // Containers.

  bool PushTuple(size_t count) {
    PickleValue tuple{.kind = Kind::kTuple};
    tuple.items.resize(count);
    while (count > 0) {
      if (!Pop(tuple.items[--count])) return false;
    }
    return Push(std::move(tuple));
  }
  bool PushMarked(Kind kind) {
    PickleValue value{.kind = kind};
    if (!PopToMark(value.items)) return false;
    if (kind == Kind::kDict && value.items.size() % 2 != 0) return Fault("a key has no value");
    return Push(std::move(value));
  }
  bool PopMarkedOrOne(bool marked, size_t one, std::vector<PickleId>& items) {
    if (marked) return PopToMark(items);
    items.resize(one);
    while (one > 0) {
      if (!Pop(items[--one])) return false;
    }
    return true;
  }
  bool Append(bool marked) {
    std::vector<PickleId> items;
    PickleValue* target = nullptr;
    if (!PopMarkedOrOne(marked, 1, items) || !Top(target)) return false;
    if (target->kind == Kind::kObject) return true;  // A list of some class of its own: not needed.
    if (target->kind != Kind::kList && target->kind != Kind::kSet) {
      return Fault("an element is added to something that is no list");
    }
    target->items.insert(target->items.end(), items.begin(), items.end());
    return true;
  }
  bool SetItems(bool marked) {
    std::vector<PickleId> items;
    PickleValue* target = nullptr;
    if (!PopMarkedOrOne(marked, 2, items) || !Top(target)) return false;
    if (items.size() % 2 != 0) return Fault("a key has no value");
    if (target->kind != Kind::kDict && target->kind != Kind::kObject) {
      return Fault("a key is set in something that is no dict");
    }
    target->items.insert(target->items.end(), items.begin(), items.end());
    return true;
  }

  // Objects.

  bool PushGlobal() {
    PickleValue global{.kind = Kind::kGlobal};
    return ReadLine(global.module) && ReadLine(global.text) && Push(std::move(global));
  }
  bool PushStackGlobal() {
    PickleId name = kNoPickle;
    PickleId module = kNoPickle;
    if (!Pop(name) || !Pop(module)) return false;
    if (pickle_[name].kind != Kind::kText || pickle_[module].kind != Kind::kText) {
      return Fault("a class has a name that is no text");
    }
    return Push(
        {.kind = Kind::kGlobal, .text = pickle_[name].text, .module = pickle_[module].text});
  }
  bool PushObject(bool keywords) {
    PickleValue object{.kind = Kind::kObject};
    PickleId ignored = kNoPickle;
    if (keywords && !Pop(ignored)) return false;
    return Pop(object.arguments) && Pop(object.callable) && Push(std::move(object));
  }
  bool PushPersistent() {
    PickleId id = kNoPickle;
    return Pop(id) && Push({.kind = Kind::kPersistent, .items = {id}});
  }
  bool Build() {
    PickleId state = kNoPickle;
    PickleValue* target = nullptr;
    if (!Pop(state) || !Top(target)) return false;
    if (target->kind == Kind::kObject) target->state = state;
    return true;
  }

  // The memo.

  bool Put(uint32_t index) {
    if (!HasAboveMark()) return Fault("an operand is missing (stack underflow)");
    if (memo_.size() == kMostPickleValues) return BeyondLimit("objects beside the weights");
    memo_[index] = stack_.back();
    return true;
  }
  bool Get(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) return Fault(absl::StrCat("memo entry ", index, " does not exist"));
    return PushId(found->second);
  }
  template <typename Word>
  bool Memo(bool put) {
    Word index = 0;
    return Read(index) && (put ? Put(index) : Get(index));
  }

  bool Execute(PickleOpcode op);
  bool Frame();
  bool Protocol();
  bool Mark();
  bool PopOne();

  absl::Span<const uint8_t> bytes_;
  size_t at_ = 0;
  size_t op_at_ = 0;  // Of the instruction being executed.
  absl::Status fault_;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // Heights of the stack.
  absl::flat_hash_map<uint32_t, PickleId> memo_;
};

bool PickleMachine::Protocol() {
  uint8_t version = 0;
  if (!Read(version)) return false;
  return version <= 5 || Fault(absl::StrCat("protocol ", version, " is unknown"));
}

bool PickleMachine::Frame() {  // A hint for readers of streams; its length is not relied on.
  uint64_t length = 0;
  return Read(length);
}

bool PickleMachine::Mark() {
  if (marks_.size() == kMostPickleValues) return BeyondLimit("nested objects");
  marks_.push_back(stack_.size());
  return true;
}

bool PickleMachine::PopOne() {
  if (HasAboveMark() || marks_.empty()) {
    PickleId ignored = kNoPickle;
    return Pop(ignored);
  }
  marks_.pop_back();  // Python's POP also takes a mark away.
  return true;
}

bool PickleMachine::Execute(PickleOpcode op) {
  std::vector<PickleId> ignored;
  PickleId id = kNoPickle;
  switch (op) {
    case Op::kProto:
      return Protocol();
    case Op::kFrame:
      return Frame();
    case Op::kMark:
      return Mark();
    case Op::kPop:
      return PopOne();
    case Op::kPopMark:
      return PopToMark(ignored);
    case Op::kDup:
      return Pop(id) && PushId(id) && PushId(id);

    case Op::kNone:
      return Push({.kind = Kind::kNone});
    case Op::kNewTrue:
      return Push({.kind = Kind::kBool, .integer = 1});
    case Op::kNewFalse:
      return Push({.kind = Kind::kBool, .integer = 0});
    case Op::kBinInt:
      return PushInt<int32_t>();
    case Op::kBinInt1:
      return PushInt<uint8_t>();
    case Op::kBinInt2:
      return PushInt<uint16_t>();
    case Op::kLong1:
      return PushLong<uint8_t>();
    case Op::kLong4:
      return PushLong<uint32_t>();
    case Op::kBinFloat: {
      uint64_t value = 0;
      return Read(value) && Push({.kind = Kind::kScalar});
    }
    case Op::kShortBinString:
    case Op::kShortBinBytes:
    case Op::kShortBinUnicode:
      return PushText<uint8_t>();
    case Op::kBinString:
    case Op::kBinBytes:
    case Op::kBinUnicode:
      return PushText<uint32_t>();
    case Op::kBinUnicode8:
    case Op::kBinBytes8:
    case Op::kByteArray8:
      return PushText<uint64_t>();

    case Op::kEmptyTuple:
      return PushTuple(0);
    case Op::kTuple1:
      return PushTuple(1);
    case Op::kTuple2:
      return PushTuple(2);
    case Op::kTuple3:
      return PushTuple(3);
    case Op::kTuple:
      return PushMarked(Kind::kTuple);
    case Op::kEmptyList:
      return Push({.kind = Kind::kList});
    case Op::kList:
      return PushMarked(Kind::kList);
    case Op::kEmptyDict:
      return Push({.kind = Kind::kDict});
    case Op::kDict:
      return PushMarked(Kind::kDict);
    case Op::kEmptySet:
      return Push({.kind = Kind::kSet});
    case Op::kFrozenSet:
      return PushMarked(Kind::kSet);
    case Op::kAppend:
      return Append(/*marked=*/false);
    case Op::kAppends:
    case Op::kAddItems:
      return Append(/*marked=*/true);
    case Op::kSetItem:
      return SetItems(/*marked=*/false);
    case Op::kSetItems:
      return SetItems(/*marked=*/true);

    case Op::kGlobal:
      return PushGlobal();
    case Op::kStackGlobal:
      return PushStackGlobal();
    case Op::kReduce:
    case Op::kNewObj:
      return PushObject(/*keywords=*/false);
    case Op::kNewObjEx:
      return PushObject(/*keywords=*/true);
    case Op::kBinPersId:
      return PushPersistent();
    case Op::kBuild:
      return Build();

    case Op::kBinPut:
      return Memo<uint8_t>(/*put=*/true);
    case Op::kLongBinPut:
      return Memo<uint32_t>(/*put=*/true);
    case Op::kMemoize:
      return Put(static_cast<uint32_t>(memo_.size()));
    case Op::kBinGet:
      return Memo<uint8_t>(/*put=*/false);
    case Op::kLongBinGet:
      return Memo<uint32_t>(/*put=*/false);
    default:
      return Fault(absl::StrCat("instruction 0x",
                                absl::Hex(static_cast<uint8_t>(op), absl::kZeroPad2),
                                " is none that PyTorch writes"));
  }
}

absl::StatusOr<Pickle> ReadPickle(absl::Span<const uint8_t> bytes) {
  if (bytes.size() > kMostPickleBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the checkpoint has a pickle of ", bytes.size(),
                                                   " bytes beside the weights; this reader takes ",
                                                   kMostPickleBytes,
                                                   "; save model.state_dict() alone"));
  }
  return PickleMachine(bytes).Run();
}

}  // namespace bitplex::checkpoint
