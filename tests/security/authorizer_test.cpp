// Which calls pass.
#include "server/security/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace bitplex {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kClassify[] = "/bitplex.v1.Classifier/Classify";
constexpr char kGood[] = "Bearer 0123456789abcdef";

TokenSet Tokens(const std::string& text) { return *TokenSet::Parse(text, "tokens"); }

class Authorization : public ::testing::Test {
 protected:
  absl::Status Check(std::string_view method, const std::vector<std::string_view>& values) {
    return authorizer_.Check(method, values);
  }
  Authorizer authorizer_{Tokens("0123456789abcdef")};
};

TEST_F(Authorization, PassesATokenWhateverTheCaseOfTheScheme) {
  for (const char* value : {kGood, "bearer 0123456789abcdef", "BEARER 0123456789abcdef"})
    EXPECT_TRUE(Check(kClassify, {value}).ok()) << value;
  EXPECT_EQ(authorizer_.TakeRefusals(), 0);
}

TEST_F(Authorization, RefusesAnythingElseAndDoesNotRepeatIt) {
  const std::vector<std::vector<std::string_view>> bad = {{},
                                                          {""},
                                                          {"0123456789abcdef"},
                                                          {"Bearer"},
                                                          {"Bearer "},
                                                          {"Bearer0123456789abcdef"},
                                                          {"Bearer  0123456789abcdef"},
                                                          {"Bearer 0123456789abcdef "},
                                                          {"Bearer 0123456789abcdeg"},
                                                          {"Basic 0123456789abcdef"},
                                                          {kGood, kGood},
                                                          {"Bearer 0123456789abcdeg", kGood}};
  for (const auto& values : bad) {
    const absl::Status status = Check(kClassify, values);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated)
        << ::testing::PrintToString(values);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("Bearer"), Not(HasSubstr("01234"))));
  }
  EXPECT_EQ(authorizer_.TakeRefusals(), bad.size());
  EXPECT_EQ(authorizer_.TakeRefusals(), 0);
}

TEST_F(Authorization, IsNotAskedOfHealthChecksAlone) {
  EXPECT_TRUE(Check("/grpc.health.v1.Health/Check", {}).ok());
  EXPECT_TRUE(Check("/grpc.health.v1.Health/Watch", {}).ok());
  for (const char* method :
       {"", "/", "/grpc.health.v1.Health", "/grpc.health.v1.Healthy/Check",
        "grpc.health.v1.Health/Check", "/x/grpc.health.v1.Health/Check",
        "/GRPC.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/"})
    EXPECT_EQ(Check(method, {}).code(), absl::StatusCode::kUnauthenticated) << method;
}

TEST_F(Authorization, FollowsTheTokensThatReplaceTheOld) {
  authorizer_.Replace(Tokens("fedcba9876543210"));
  EXPECT_FALSE(Check(kClassify, {kGood}).ok());
  EXPECT_TRUE(Check(kClassify, {"Bearer fedcba9876543210"}).ok());
}

}  // namespace
}  // namespace bitplex
