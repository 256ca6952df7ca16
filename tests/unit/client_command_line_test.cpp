// What the command line refuses, and what it says when no server is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "client/command_line.h"
#include "client/output.h"

namespace bitplex {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome RunWith(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "bitplex-client");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::istringstream in;
  std::ostringstream out, err;
  const int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(), in, out, err);
  return {code, out.str(), err.str()};
}

TEST(ClientConnectionTest, MissingServerIsOneLineThatNamesAddressAndRemedy) {
  const std::string address = "unix:/no/such/folder/bitplex.sock";
  for (const std::string command : {"tasks", "memory"}) {
    const Outcome outcome =
        RunWith({command, "--json", "--server", address, "--timeout-ms", "86400000"});
    EXPECT_EQ(outcome.code, kExitFailed);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("UNAVAILABLE"), HasSubstr(address),
                                   HasSubstr("is bitplex-server running there?")));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  }
}

class ClientUsageTest : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(ClientUsageTest, WrongUsageExitsWith2) {
  const Outcome outcome = RunWith(GetParam());
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err, "");
}

using Arguments = std::vector<std::string>;
INSTANTIATE_TEST_SUITE_P(
    All, ClientUsageTest,
    testing::Values(Arguments{}, Arguments{"--token-file", "", "tasks"},
                    Arguments{"--tls-ca=", "tasks"}, Arguments{"evict", ""}, Arguments{"unknown"}, Arguments{"tasks", "memory"},
                    Arguments{"tasks", "--nonsense"}, Arguments{"classify", "a.png"},
                    Arguments{"classify", "--task", "cifar10"},
                    Arguments{"classify", "--task", "", "a.png"},
                    Arguments{"classify", "--task", "t", "a.png", "--top-k", "0"},
                    Arguments{"classify", "--task", "t", "a.png", "--top-k", "-1"},
                    Arguments{"tasks", "--timeout-ms", "0"},
                    Arguments{"tasks", "--timeout-ms", "9000000000000000000"},
                    Arguments{"evaluate", "--task", "t"},
                    Arguments{"evaluate", "--task", "t", "--data", "f", "--limit", "-1"}));

TEST(ClientUsageTest, HelpAndVersionGoToStandardOutput) {
  EXPECT_EQ(RunWith({"--help"}).code, kExitOk);
  EXPECT_THAT(RunWith({"evaluate", "--help"}).out, HasSubstr("percent, 0 to 100"));
  EXPECT_NE(RunWith({"--version"}).out, "");
}

}  // namespace
}  // namespace bitplex
