#include "model_store/dataset/cifar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace bitplex {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kPlane = kCifarPixels * kCifarPixels;

class CifarTest : public testing::Test {
 protected:
  void TearDown() override { std::remove(path_.c_str()); }

  // Appends a record: `labels`, then planes whose byte p of channel c is (p + 50 * c + salt) % 256.
  void Add(const std::vector<uint8_t>& labels, size_t salt) {
    bytes_.insert(bytes_.end(), labels.begin(), labels.end());
    for (size_t c = 0; c < 3; ++c) {
      for (size_t p = 0; p < kPlane; ++p) bytes_.push_back(Pixel(p, c, salt));
    }
  }
  static uint8_t Pixel(size_t p, size_t c, size_t salt) {
    return static_cast<uint8_t>(p + 50 * c + salt);
  }
  absl::StatusOr<CifarImages> Read(size_t classes, size_t limit = 0) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes_.data()),
               static_cast<std::streamsize>(bytes_.size()));
    return ReadCifar(path_, classes, limit);
  }

  std::vector<uint8_t> bytes_;
  const std::string path_ = testing::TempDir() + "cifar_test_" + std::to_string(getpid());
};

TEST_F(CifarTest, OneLabelByteForTenClasses) {
  Add({7}, 0);
  Add({0}, 100);
  const auto images = Read(10);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_THAT(images->labels, ElementsAre(7, 0));
  ASSERT_EQ(images->size(), 2u);
  ASSERT_EQ(images->rgb.size(), 2 * kCifarImageBytes);
  for (size_t p = 0; p < kPlane; ++p) {
    for (size_t c = 0; c < 3; ++c) {
      ASSERT_EQ(images->image(0)[3 * p + c], Pixel(p, c, 0)) << "pixel " << p;
      ASSERT_EQ(images->image(1)[3 * p + c], Pixel(p, c, 100)) << "pixel " << p;
    }
  }
}

TEST_F(CifarTest, OfTwoLabelBytesTheSecondCounts) {
  Add({19, 99}, 0);
  Add({200, 3}, 1);  // The coarse label is not looked at.
  const auto images = Read(100);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_THAT(images->labels, ElementsAre(99, 3));
  EXPECT_EQ(images->image(1)[0], Pixel(0, 0, 1));
}

TEST_F(CifarTest, TheLimitCutsAndMayBeBeyondTheEnd) {
  for (uint8_t i = 0; i < 5; ++i) Add({i}, i);
  EXPECT_THAT(Read(10, 2)->labels, ElementsAre(0, 1));
  EXPECT_EQ(Read(10, 9)->size(), 5u);
  EXPECT_EQ(Read(10, 0)->size(), 5u);
}

TEST_F(CifarTest, AMissingFileIsNamed) {
  const absl::Status status = ReadCifar(path_ + ".none", 10, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + ".none"));
}

TEST_F(CifarTest, AFolderAndAPipeAreNoDataSet) {
  EXPECT_EQ(ReadCifar(testing::TempDir(), 10, 0).status().code(), absl::StatusCode::kNotFound);
  // A pipe that nobody writes to must not be waited for.
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReadCifar(path_, 10, 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CifarTest, AnEmptyFileIsRefused) {
  EXPECT_EQ(Read(10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CifarTest, APartOfARecordIsRefused) {
  Add({1}, 0);
  bytes_.pop_back();
  const absl::Status status = Read(10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("3072 bytes"), HasSubstr("records of 3073 bytes")));
}

TEST_F(CifarTest, TheOtherDataSetsFileIsRefusedByItsSize) {
  Add({1, 2}, 0);
  const absl::Status status = Read(10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 label bytes for 10 classes"));
}

TEST_F(CifarTest, ALabelOutOfRangeNamesTheRecord) {
  Add({9}, 0);
  Add({10}, 0);
  const absl::Status status = Read(10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("record 1"), HasSubstr("label 10"), HasSubstr("10 classes")));
}

}  // namespace
}  // namespace bitplex
