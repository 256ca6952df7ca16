#include "server/service/trace_context.h"

#include <gtest/gtest.h>

namespace bitplex {
namespace {

constexpr char kGood[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IsTakenApart) {
  const auto trace = ParseTraceparent(kGood);
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(trace->parent_id, "b7ad6b7169203331");
  EXPECT_TRUE(trace->sampled);
}

struct Flags {
  const char* digits;
  bool sampled;
};

class TraceFlags : public ::testing::TestWithParam<Flags> {};

TEST_P(TraceFlags, OnlyTheLowestBitIsLookedAt) {
  const auto trace = ParseTraceparent(std::string(kGood, 53) + GetParam().digits);
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->sampled, GetParam().sampled);
}

INSTANTIATE_TEST_SUITE_P(All, TraceFlags,
                         ::testing::Values(Flags{"00", false}, Flags{"01", true},
                                           Flags{"02", false}, Flags{"fe", false},
                                           Flags{"ff", true}, Flags{"09", true}, Flags{"0b", true}),
                         [](const auto& test) { return test.param.digits; });

TEST(Traceparent, LaterVersionsMayGoOn) {
  const std::string later = "01" + std::string(kGood).substr(2);
  for (const std::string& rest : {std::string(), std::string("-"), std::string("-what=ever")}) {
    EXPECT_TRUE(ParseTraceparent(later + rest).has_value()) << rest;
  }
  EXPECT_FALSE(ParseTraceparent(later + "x").has_value());
}

struct Malformed {
  const char* name;
  std::string header;
};

class MalformedTraceparents : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedTraceparents, AreNothing) {
  EXPECT_FALSE(ParseTraceparent(GetParam().header).has_value()) << GetParam().header;
}

std::string Changed(size_t at, char to) {
  std::string header = kGood;
  header[at] = to;
  return header;
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedTraceparents,
    ::testing::Values(
        Malformed{"Empty", ""}, Malformed{"OneShort", std::string(kGood, 54)},
        Malformed{"OneLong", std::string(kGood) + "0"},
        Malformed{"Version00GoesOn", std::string(kGood) + "-x"},
        Malformed{"LeadingSpace", " " + std::string(kGood, 54)},
        Malformed{"VersionFf", "ff" + std::string(kGood).substr(2)},
        Malformed{"VersionNotHex", Changed(1, 'g')}, Malformed{"VersionUpperCase", Changed(0, 'A')},
        Malformed{"TraceNotHex", Changed(10, 'x')}, Malformed{"TraceUpperCase", Changed(5, 'F')},
        Malformed{"ParentNotHex", Changed(51, '-')}, Malformed{"FlagsNotHex", Changed(54, ' ')},
        Malformed{"FirstDash", Changed(2, '_')}, Malformed{"SecondDash", Changed(35, '0')},
        Malformed{"ThirdDash", Changed(52, '0')},
        Malformed{"NoTrace", "00-" + std::string(32, '0') + "-b7ad6b7169203331-01"},
        Malformed{"NoParent",
                  "00-0af7651916cd43dd8448eb211c80319c-" + std::string(16, '0') + "-01"},
        Malformed{"NulByte", Changed(20, '\0')}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
