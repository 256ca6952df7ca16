// The data sets' folders: what is found, and what is said when something is missing or short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model_store/train/training_data.h"
#include "tests/unit/train_files.h"

namespace bitplex::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void WriteZeros(const std::string& path, size_t bytes) {
  WriteBytes(path, std::vector<uint8_t>(bytes));
}

std::string Message(const absl::StatusOr<TrainingData>& data) {
  return std::string(data.status().message());
}

constexpr char kGetCifar10[] = "cifar-10-binary.tar.gz (md5 c32a1d4ab5d03f1284b67883e8d87530)";
constexpr char kGetCifar100[] = "cifar-100-binary.tar.gz (md5 03b5dce01913d631647c71ecec9e9cb8)";

class DataTest : public testing::Test {
 protected:
  absl::StatusOr<TrainingData> Load(const std::string& task = "cifar10", size_t holdout = 0) {
    return LoadTrainingData(task, folder_.path(), holdout);
  }
  const TempFolder folder_{"train_data"};
};

TEST_F(DataTest, PlainFilesAreReadWithTheirDigests) {
  MakeDataSet(folder_, 20, 10);
  const auto data = Load();
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->train.size(), 20u);
  EXPECT_EQ(data->test.size(), 10u);
  EXPECT_EQ(data->classes(), 10u);
  EXPECT_THAT(data->train_digests, StartsWith("train.bin="));
  EXPECT_EQ(data->train_digests.size(), std::string("train.bin=").size() + 64);
}

TEST_F(DataTest, TheHoldoutIsTheEndOfTheTrainingSet) {
  MakeDataSet(folder_, 25, 10);
  const auto data = Load("cifar10", 4);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->train.size(), 21u);
  ASSERT_EQ(data->holdout.size(), 4u);
  EXPECT_EQ(data->holdout.labels.front(), 1u);  // Record 21.
  const std::vector<uint8_t> record = LearnableRecord(1, 1 + 21);
  EXPECT_EQ(data->holdout.image(0)[0], record[1]);
  EXPECT_EQ(data->holdout.image(0)[1], record[1 + 1024]);
}

TEST_F(DataTest, AHoldoutOfEverythingIsRefused) {
  MakeDataSet(folder_, 20, 10);
  EXPECT_THAT(Message(Load("cifar10", 20)), HasSubstr("--val-holdout 20 leaves nothing of 20"));
}

TEST_F(DataTest, AnEmptyFolderSaysWhereToGetTheSet) {
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(Load()), AllOf(HasSubstr(folder_.path()), HasSubstr(kGetCifar10),
                                     HasSubstr("https://www.cs.toronto.edu/~kriz/cifar.html")));
  EXPECT_THAT(Message(Load("cifar100")), HasSubstr(kGetCifar100));
}

TEST_F(DataTest, AMissingBatchIsNamed) {
  for (const int batch : {1, 2, 4, 5}) {
    WriteZeros(folder_ / absl::StrCat("data_batch_", batch, ".bin"), 10'000 * 3073);
  }
  EXPECT_THAT(Message(Load()), AllOf(HasSubstr("data_batch_3.bin"), HasSubstr(kGetCifar10)));
}

TEST_F(DataTest, TheFolderOfTheArchiveIsFoundInsideTheOneThatIsNamed) {
  std::filesystem::create_directory(folder_ / "cifar-10-batches-bin");
  WriteZeros(folder_ / "cifar-10-batches-bin/data_batch_1.bin", 10'000 * 3073);
  EXPECT_THAT(Message(Load()), HasSubstr("cifar-10-batches-bin/data_batch_2.bin"));
}

TEST_F(DataTest, AFileCutBetweenRecordsIsShort) {
  WriteZeros(folder_ / "data_batch_1.bin", 9'999 * 3073);
  EXPECT_THAT(Message(Load()), AllOf(HasSubstr("data_batch_1.bin holds 9999 images, the official "
                                               "file 10000"),
                                     HasSubstr(kGetCifar10)));
}

TEST_F(DataTest, AFileCutInARecordIsShort) {
  MakeDataSet(folder_, 20, 10);
  std::filesystem::resize_file(folder_ / "test.bin", 10 * 3073 - 1);
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(Load()), AllOf(HasSubstr("test.bin"), HasSubstr(kGetCifar10)));
}

TEST_F(DataTest, TheOfficialCifar100IsToldByItsFolder) {
  std::filesystem::create_directory(folder_ / "cifar-100-binary");
  WriteZeros(folder_ / "cifar-100-binary/train.bin", 10 * 3074);
  const auto inside = LoadTrainingData("cifar100", folder_ / "cifar-100-binary", 0);
  EXPECT_THAT(Message(inside),
              AllOf(HasSubstr("10 images, the official file 50000"), HasSubstr(kGetCifar100)));
}

TEST_F(DataTest, AnUnknownTaskIsRefused) {
  EXPECT_THAT(Message(Load("imagenet")), HasSubstr("give cifar10 or cifar100"));
}

}  // namespace
}  // namespace bitplex::test
