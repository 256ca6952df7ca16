// The limit of a process's control groups, read from files made by hand.
#include "server/memory/memory_limit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

class MemoryLimit : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_ + "/a.slice/b.service"); }
  ~MemoryLimit() override {
    std::filesystem::remove_all(root_);
    std::filesystem::remove(own_groups_);
  }

  std::optional<uint64_t> Read(const std::string& own_groups) {
    std::ofstream(own_groups_) << own_groups;
    return ReadMemoryLimit(own_groups_, root_);
  }
  void SetLimit(const std::string& group, const std::string& text) {
    std::ofstream(root_ + group + "/memory.max") << text;
  }

  const std::string root_ = TempPath("cgroup");
  const std::string own_groups_ = TempPath("own_groups");
};

TEST_F(MemoryLimit, IsTheOwnGroups) {
  SetLimit("/a.slice/b.service", "1000000\n");
  EXPECT_EQ(Read("0::/a.slice/b.service\n"), 1000000u);
}

TEST_F(MemoryLimit, IsTheLowestOnTheWayUp) {
  SetLimit("/a.slice/b.service", "max\n");
  SetLimit("/a.slice", "3000\n");
  SetLimit("", "4000\n");
  EXPECT_EQ(Read("0::/a.slice/b.service\n"), 3000u);
}

TEST_F(MemoryLimit, OfAContainerIsAtTheRoot) {
  SetLimit("", "805306368\n");
  EXPECT_EQ(Read("12:memory:/elsewhere\n0::/\n"), 805306368u);
  EXPECT_EQ(Read("0::/a/path/of/the/host\n"), 805306368u);
}

TEST_F(MemoryLimit, MayNotBe) {
  EXPECT_EQ(Read("0::/a.slice/b.service\n"), std::nullopt);
  SetLimit("/a.slice/b.service", "max\n");
  EXPECT_EQ(Read("0::/a.slice/b.service\n"), std::nullopt);
  EXPECT_EQ(ReadMemoryLimit("/nowhere/cgroup", "/nowhere"), std::nullopt);
}

TEST_F(MemoryLimit, IsNotReadFromWhatIsNoNumber) {
  for (const char* text : {"", "-1", "12MB", "99999999999999999999999"}) {
    SetLimit("", text);
    EXPECT_EQ(Read("0::/\n"), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace bitplex::test
