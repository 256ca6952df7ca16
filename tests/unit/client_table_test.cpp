#include <gtest/gtest.h>

#include <sstream>

#include "client/table.h"
#include "client/text.h"

namespace bitplex {
namespace {

std::string Printed(const Table& table) {
  std::ostringstream out;
  table.Print(out);
  return out.str();
}

TEST(TableTest, AlignsColumnsAndLeavesNoTrailingSpaces) {
  Table table({{"NAME"}, {"MB", Table::Align::kRight}, {"NOTE"}});
  table.AddRow({"a", "1.50", "x"});
  table.AddRow({"longer", "100.25", ""});
  EXPECT_EQ(Printed(table),
            "NAME        MB  NOTE\n"
            "a         1.50  x\n"
            "longer  100.25\n");
}

TEST(TableTest, AlignsByWhatTheTerminalShowsNotByBytes) {
  Table table({{"F"}, {"N"}});
  table.AddRow({"ä", "1"});
  table.AddRow({"犬", "2"});
  table.AddRow({"abc", "3"});
  EXPECT_EQ(Printed(table),
            "F    N\n"
            "ä    1\n"
            "犬   2\n"
            "abc  3\n");
}

TEST(TableTest, FillsMissingCellsAndDropsSurplusOnes) {
  Table table({{"A"}, {"B"}});
  table.AddRow({"1"});
  table.AddRow({"1", "2", "3"});
  EXPECT_EQ(Printed(table), "A  B\n1\n1  2\n");
}

TEST(TableTest, KeepsOneRowOnOneLine) {
  Table table({{"A"}});
  table.AddRow({"two\nlines"});
  EXPECT_EQ(Printed(table), "A\ntwo lines\n");
}

struct TextCase {
  std::string name;
  std::string text;
  std::string printable;
  size_t width;
};

class TextTest : public testing::TestWithParam<TextCase> {};

TEST_P(TextTest, MakesPrintableAndMeasures) {
  EXPECT_EQ(Printable(GetParam().text), GetParam().printable);
  EXPECT_EQ(DisplayWidth(GetParam().printable), GetParam().width);
}

INSTANTIATE_TEST_SUITE_P(All, TextTest,
                         testing::Values(TextCase{"Empty", "", "", 0},
                                         TextCase{"Ascii", "cat", "cat", 3},
                                         TextCase{"CombiningAccent", "e\u0301", "e\u0301", 1},
                                         TextCase{"Emoji", "\U0001F600", "\U0001F600", 2},
                                         TextCase{"EscapeSequence", "\x1b[31mred", "?[31mred", 8},
                                         TextCase{"C1Control", "a\u009bb", "a?b", 3},
                                         TextCase{"LoneContinuation", "a\x80", "a?", 2},
                                         TextCase{"CutSequence", "a\xe7\x8a", "a??", 3},
                                         TextCase{"Overlong", "\xe0\x80\xaf", "???", 3},
                                         TextCase{"Surrogate", "\xed\xa0\x80", "???", 3},
                                         TextCase{"PastUnicode", "\xf4\x90\x80\x80", "????", 4}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
