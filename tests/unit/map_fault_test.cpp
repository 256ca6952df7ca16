// Files that change while they are mapped.
#include "model_store/util/map_fault.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "model_store/util/mapped_file.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

constexpr size_t kBytes = 64 << 10;

class MapFaultTest : public testing::Test {
 protected:
  MapFaultTest() { WriteBytes(path_, std::vector<uint8_t>(kBytes, 1)); }
  ~MapFaultTest() override { std::filesystem::remove(path_); }

  static uint64_t Sum(const MappedFile& file) {
    return std::accumulate(file.contents().begin(), file.contents().end(), uint64_t{0});
  }

  const std::string path_ = TempPath("map_fault");
};

TEST_F(MapFaultTest, WhatWasCutOffReadsAsNoughtAndTheFileAsChanged) {
  ASSERT_TRUE(SurviveMapFaults().ok());
  const auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(Sum(*file), kBytes);
  EXPECT_TRUE(file->Unchanged());
  std::filesystem::resize_file(path_, kBytes / 4);
  EXPECT_EQ(Sum(*file), kBytes / 4);
  EXPECT_FALSE(file->Unchanged());
}

// The noughts stay in the mapping, though the file looks as it did.
TEST_F(MapFaultTest, StaysChangedWhenTheFileIsRestoredInPlace) {
  ASSERT_TRUE(SurviveMapFaults().ok());
  const auto written = std::filesystem::last_write_time(path_);
  const auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  std::filesystem::resize_file(path_, 1);
  EXPECT_EQ(Sum(*file), 1u);
  WriteBytes(path_, std::vector<uint8_t>(kBytes, 1));
  std::filesystem::last_write_time(path_, written);
  EXPECT_EQ(*IdentityOf(path_), file->identity());
  EXPECT_FALSE(file->Unchanged());
}

TEST_F(MapFaultTest, WritingInPlaceIsAChangeAndRenamingOverItIsNone) {
  const auto file = MappedFile::Open(path_);
  ASSERT_TRUE(file.ok());
  WriteBytes(path_ + ".new", std::vector<uint8_t>(kBytes, 2));
  std::filesystem::rename(path_ + ".new", path_);
  EXPECT_TRUE(file->Unchanged());
  EXPECT_EQ(Sum(*file), kBytes);
  const auto second = MappedFile::Open(path_);
  ASSERT_TRUE(second.ok());
  std::ofstream(path_, std::ios::app) << "more";
  EXPECT_FALSE(second->Unchanged());
}

TEST(MapFaultDeathTest, AnyOtherBusErrorStillEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ASSERT_TRUE(SurviveMapFaults().ok());
  EXPECT_EXIT(raise(SIGBUS), testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace bitplex::test
