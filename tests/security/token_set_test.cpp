// Token files, good and bad, and what is found in them.
#include "server/security/token_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bitplex {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kToken[] = "0123456789abcdef";  // Of the least length.
constexpr char kOther[] = "Az0-._~+/=Az0-._~+/=";

TokenSet Parsed(const std::string& text) {
  absl::StatusOr<TokenSet> set = TokenSet::Parse(text, "tokens");
  EXPECT_TRUE(set.ok()) << set.status();
  return set.ok() ? *std::move(set) : TokenSet();
}

TEST(TokenSet, TakesOneTokenALineAndSkipsCommentsAndBlanks) {
  const TokenSet set = Parsed(
      absl::StrCat("# for the camera\n", kToken, "\n\n  \t\n", "  ", kOther, " \r\n  # the end"));
  EXPECT_EQ(set.size(), 2);
  EXPECT_TRUE(set.Contains(kToken));
  EXPECT_TRUE(set.Contains(kOther));
}

TEST(TokenSet, HoldsTheMostAndTheLongest) {
  std::string text;
  for (size_t i = 0; i < TokenSet::kMaxTokens; ++i)
    absl::StrAppend(&text, 1'000'000'000'000'000 + i, "\n");
  const TokenSet set = Parsed(text);
  EXPECT_EQ(set.size(), TokenSet::kMaxTokens);
  EXPECT_TRUE(set.Contains("1000000000000000"));
  EXPECT_TRUE(set.Contains("1000000000001023"));
  EXPECT_FALSE(set.Contains("1000000000001024"));
  const std::string longest(TokenSet::kMaxTokenBytes, 'x');
  EXPECT_TRUE(Parsed(longest).Contains(longest));
}

class NotTheToken : public ::testing::TestWithParam<std::string> {};

TEST_P(NotTheToken, IsNotFound) { EXPECT_FALSE(Parsed(kToken).Contains(GetParam())); }

INSTANTIATE_TEST_SUITE_P(All, NotTheToken,
                         ::testing::Values("", "0", "0123456789abcde", "0123456789abcdefg",
                                           "0123456789abcdeF", "1123456789abcdef",
                                           " 0123456789abcdef", "0123456789abcdef\n",
                                           std::string("0123456789abcdef\0", 17),
                                           std::string(1 << 20, '0')));

TEST(TokenSet, TellsTokensThatDifferInAnyBit) {
  const TokenSet set = Parsed(kToken);
  for (size_t byte = 0; byte < sizeof(kToken) - 1; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = kToken;
      other[byte] = static_cast<char>(other[byte] ^ (1 << bit));
      EXPECT_FALSE(set.Contains(other)) << byte << " " << bit;
    }
  }
}

struct BadFile {
  std::string name;
  std::string text;
  std::string words;
};

class BadTokenFiles : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadTokenFiles, AreRefusedWithoutSayingWhatIsInThem) {
  const absl::StatusOr<TokenSet> set = TokenSet::Parse(GetParam().text, "--token-file /etc/tokens");
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(set.status().message()),
              AllOf(StartsWith("--token-file /etc/tokens"), HasSubstr(GetParam().words),
                    Not(HasSubstr("secret"))));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadTokenFiles,
    ::testing::Values(
        BadFile{"Empty", "", "no token in it"},
        BadFile{"OnlyComments", "# secret-secret-secret\n\n", "no token in it"},
        BadFile{"TooShort", "secret-secret-s", " line 1: the token has 15 characters, fewer than"},
        BadFile{"TooShortAfterAGoodOne", absl::StrCat(kToken, "\n#\nsecret"), " line 3: "},
        BadFile{"TooLong", std::string(TokenSet::kMaxTokenBytes + 1, 's'), "more than 4096"},
        BadFile{"TwoOnALine", "secret-secret-secret secret-secret-secret", " line 1: a token has"},
        BadFile{"CommentAfterAToken", "secret-secret-secret # mine", "each comment too"},
        BadFile{"Quoted", "\"secret-secret-secret\"", " line 1: a token has"},
        BadFile{"ControlCharacter", "secret-secret-secret\x01", " line 1: a token has"},
        BadFile{"NotAscii",
                "secret-secret-s\xc3\xa9"
                "cret",
                " line 1: a token has"},
        BadFile{"ByteOrderMark", "\xef\xbb\xbfsecret-secret-secret", " line 1: a token has"},
        BadFile{"TooMany",
                [] {
                  std::string text;
                  for (size_t i = 0; i <= TokenSet::kMaxTokens; ++i)
                    absl::StrAppend(&text, "secret-secret-secret", i, "\n");
                  return text;
                }(),
                "more than 1024 tokens"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bitplex
