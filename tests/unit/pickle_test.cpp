#include "model_store/checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/checkpoint_files.h"

namespace bitplex::checkpoint {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;
using Kind = PickleValue::Kind;

// Keeps the bytes, to which the values refer.
class PickleTest : public testing::Test {
 protected:
  const Pickle& Read(const std::string& code) {
    bytes_ = test::PickleBytes(code);
    auto pickle = ReadPickle(test::Bytes(bytes_));
    EXPECT_TRUE(pickle.ok()) << pickle.status();
    pickle_ = pickle.ok() ? *std::move(pickle) : Pickle();
    return pickle_;
  }
  const PickleValue& Root(const std::string& code) {
    const Pickle& pickle = Read(code);
    return pickle[pickle.root()];
  }

 private:
  std::string bytes_;
  Pickle pickle_;
};

TEST_F(PickleTest, ReadsNumbersOfEveryWidth) {
  EXPECT_EQ(Root("K\xff").integer, 255);
  EXPECT_EQ(Root("M\xff\xff").integer, 65535);
  EXPECT_EQ(Root("J\xfe\xff\xff\xff").integer, -2);
  EXPECT_EQ(Root("\x8a\x00"s).integer, 0);
  EXPECT_EQ(Root("\x8a\x01\xfe").integer, -2);
  EXPECT_EQ(Root("\x8a\x02\xfe\x00"s).integer, 254);
  EXPECT_EQ(Root(test::PickleInt(INT64_MIN)).integer, INT64_MIN);
  EXPECT_EQ(Root("\x8b\x01\x00\x00\x00\x07"s).integer, 7);
  EXPECT_EQ(Root("\x8a\x09" + std::string(9, '\x01')).kind, Kind::kScalar);
  EXPECT_EQ(Root("G" + std::string(8, '\0')).kind, Kind::kScalar);
  EXPECT_EQ(Root("\x88").integer, 1);
  EXPECT_EQ(Root("\x89").kind, Kind::kBool);
}

TEST_F(PickleTest, ReadsTextOfEveryForm) {
  for (const std::string& code :
       {"U\x02hi"s, "C\x02hi"s, "\x8c\x02hi"s, "T\x02\0\0\0hi"s, "B\x02\0\0\0hi"s, "X\x02\0\0\0hi"s,
        "\x8d\x02\0\0\0\0\0\0\0hi"s, "\x8e\x02\0\0\0\0\0\0\0hi"s, "\x96\x02\0\0\0\0\0\0\0hi"s}) {
    EXPECT_EQ(Root(code).text, "hi");
  }
}

TEST_F(PickleTest, BuildsContainers) {
  EXPECT_EQ(Root("(NNNt").items.size(), 3);
  EXPECT_EQ(Root("NNN\x87").items.size(), 3);
  EXPECT_EQ(Root("](NNeNa").items.size(), 3);
  EXPECT_EQ(Root("(NNl").kind, Kind::kList);
  EXPECT_EQ(Root("\x8f(NN\x90").items.size(), 2);
  EXPECT_EQ(Root("(N\x91").kind, Kind::kSet);
  EXPECT_EQ(Root("}NNs(NNNNu").items.size(), 6);
  EXPECT_EQ(Root("(NNd").kind, Kind::kDict);
  EXPECT_EQ(Root("N(K\1K\2"
                 "1")
                .kind,
            Kind::kNone);                    // POP_MARK drops both.
  EXPECT_EQ(Root("N(0").kind, Kind::kNone);  // POP drops the mark.
}

TEST_F(PickleTest, MemoReturnsTheSameValue) {
  const Pickle& pickle = Read("]q\x05(h\x05j\x05\0\0\0e"s);
  const PickleValue& list = pickle[pickle.root()];
  ASSERT_EQ(list.items.size(), 2);
  EXPECT_EQ(list.items[0], pickle.root());  // A list that holds itself.
  EXPECT_EQ(list.items[1], pickle.root());
  EXPECT_EQ(Root("K\x07\x94"
                 "0h\x00"s)
                .integer,
            7);
  EXPECT_EQ(Root("K\x08r\1\2\0\0"
                 "0j\1\2\0\0"s)
                .integer,
            8);
}

TEST_F(PickleTest, CallsBecomeRecords) {
  const Pickle& pickle =
      Read(test::PickleGlobal("os", "system") + "(" + test::PickleText("echo") + "tR");
  const PickleValue& call = pickle[pickle.root()];
  EXPECT_EQ(call.kind, Kind::kObject);
  EXPECT_TRUE(pickle[call.callable].IsGlobal("os", "system"));
  EXPECT_EQ(pickle[pickle[call.arguments].items[0]].text, "echo");
  EXPECT_EQ(call.state, kNoPickle);
}

TEST_F(PickleTest, ClassNamesMayComeFromTheStack) {
  const PickleValue& global = Root(test::PickleText("a.b") + test::PickleText("C") + "\x93");
  EXPECT_TRUE(global.IsGlobal("a.b", "C"));
}

TEST_F(PickleTest, ObjectsKeepItemsAndStateApart) {
  const Pickle& pickle = Read(test::PickleGlobal("collections", "OrderedDict") + ")R" +
                              test::PickleText("key") + "K\1s" + "}" + "b");
  const PickleValue& object = pickle[pickle.root()];
  EXPECT_EQ(object.items.size(), 2);
  ASSERT_NE(object.state, kNoPickle);
  EXPECT_EQ(pickle[object.state].kind, Kind::kDict);
  EXPECT_EQ(Root(test::PickleGlobal("a", "B") + ")}\x92").kind, Kind::kObject);
}

TEST_F(PickleTest, AcceptsFrames) {
  EXPECT_EQ(Root("\x95\xff\xff\xff\xff\xff\xff\xff\xffK\x03").integer, 3);
}

struct DamagedCase {
  const char* name;
  std::string bytes;
  const char* fault;
};

class DamagedPickleTest : public testing::TestWithParam<DamagedCase> {};

TEST_P(DamagedPickleTest, IsRefused) {
  const auto pickle = ReadPickle(test::Bytes(GetParam().bytes));
  EXPECT_EQ(pickle.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(pickle.status().message()), HasSubstr(GetParam().fault));
}

INSTANTIATE_TEST_SUITE_P(
    , DamagedPickleTest,
    testing::Values(
        DamagedCase{"Empty", "", "at its byte 0: it ends"},
        DamagedCase{"NoStop", "\x80\x02N", "at its byte 3: it ends"},
        DamagedCase{"StopOnEmptyStack", "\x80\x02.", "stack underflow"},
        DamagedCase{"PopOnEmptyStack", "0.", "stack underflow"},
        DamagedCase{"DupOnEmptyStack", "2.", "stack underflow"},
        DamagedCase{"TupleTooShort", "N\x86.", "stack underflow"},
        DamagedCase{"ReduceWithoutFunction", ")R.", "stack underflow"},
        DamagedCase{"BuildWithoutObject", "}b.", "stack underflow"},
        DamagedCase{"PersistentWithoutIdentifier", "Q.", "stack underflow"},
        DamagedCase{"PutOnEmptyStack", "q\x01.", "stack underflow"},
        DamagedCase{"OperandBelowTheMark", "N(0N(R.", "stack underflow"},
        DamagedCase{"DictBelowTheMark", "}((NNu.", "stack underflow"},
        DamagedCase{"NoMark", "N1.", "no mark"},
        DamagedCase{"KeyWithoutValue", "}(Nu.", "a key has no value"},
        DamagedCase{"DictOfThree", "(NNNd.", "a key has no value"},
        DamagedCase{"SetItemInAList", "]NNs.", "no dict"},
        DamagedCase{"AppendToADict", "}Na.", "no list"},
        DamagedCase{"MemoEntryMissing", "h\x03.", "memo entry 3 does not exist"},
        DamagedCase{"LongMemoEntryMissing", "j\xff\xff\xff\xff.", "memo entry 4294967295"},
        DamagedCase{"TextLongerThanTheFile", "X\xff\xff\xff\xffhi.", "ends within"},
        DamagedCase{"TextOf64Bits", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "ends within"},
        DamagedCase{"LongLongerThanTheFile", "\x8b\xff\xff\xff\xff.", "ends within"},
        DamagedCase{"CutWithinANumber", "J\x01\x02", "ends within"},
        DamagedCase{"CutWithinAName", "cos\nsystem", "ends within a name"},
        DamagedCase{"ClassNamedByANumber", "K\1K\2\x93.", "a name that is no text"},
        DamagedCase{"UnknownProtocol", "\x80\x06N.", "protocol 6 is unknown"},
        DamagedCase{"UnknownInstruction", "N\xff.", "at its byte 1: instruction 0xff"}),
    [](const auto& test_case) { return test_case.param.name; });

std::string Repeat(std::string_view code, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated += code;
  return repeated;
}

class EndlessPickleTest : public testing::TestWithParam<const char*> {};

TEST_P(EndlessPickleTest, MeetsALimit) {
  const std::string bytes = "]" + Repeat(GetParam(), kMostPickleValues + 1) + ".";
  const auto pickle = ReadPickle(test::Bytes(bytes));
  EXPECT_EQ(pickle.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(pickle.status().message()), HasSubstr("save model.state_dict() alone"));
}

// Values, stack entries, marks and memo entries.
INSTANTIATE_TEST_SUITE_P(, EndlessPickleTest, testing::Values("N0", "2", "(", "\x94"));

}  // namespace
}  // namespace bitplex::checkpoint
