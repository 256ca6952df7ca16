#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/image_files.h"

namespace bitplex {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ImageFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(testing::TempDir()) / (std::string("client_image_files_") + info->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  std::string Path(const std::string& name) const { return (root_ / name).string(); }

  fs::path root_;
};

std::vector<std::string> Files(const std::vector<ImageInput>& inputs) {
  std::vector<std::string> files;
  for (const ImageInput& input : inputs) files.push_back(input.file);
  return files;
}

TEST_F(ImageFilesTest, FolderGivesItsImagesSortedWithoutSubfoldersAndOtherFiles) {
  for (const char* name : {"b.PNG", "a.jpg", "c.webp", "d.bmp", "e.jpeg", "notes.txt", "png"}) {
    Write(name, "x");
  }
  Write("sub/z.png", "x");
  fs::create_directories(root_ / "folder.png");
  const auto inputs = ExpandImageArguments({root_.string()});
  EXPECT_THAT(Files(inputs), ElementsAre(Path("a.jpg"), Path("b.PNG"), Path("c.webp"),
                                         Path("d.bmp"), Path("e.jpeg")));
  for (const ImageInput& input : inputs) EXPECT_TRUE(input.status.ok()) << input.status;
}

TEST_F(ImageFilesTest, KeepsTheOrderOfArgumentsAndAnySuffixOfANamedFile) {
  Write("in/1.png", "x");
  const auto inputs = ExpandImageArguments({"-", Path("z.dat"), Path("in"), Path("a.png")});
  EXPECT_THAT(Files(inputs), ElementsAre("-", Path("z.dat"), Path("in/1.png"), Path("a.png")));
}

TEST_F(ImageFilesTest, EmptyFolderIsAnError) {
  Write("notes.txt", "x");
  const auto inputs = ExpandImageArguments({root_.string()});
  ASSERT_EQ(inputs.size(), 1u);
  EXPECT_TRUE(absl::IsNotFound(inputs[0].status)) << inputs[0].status;
  EXPECT_THAT(inputs[0].status.ToString(), HasSubstr(root_.string()));
}

TEST_F(ImageFilesTest, StandardInputCanBeNamedOnce) {
  const auto inputs = ExpandImageArguments({"-", "-"});
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_TRUE(inputs[0].status.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(inputs[1].status)) << inputs[1].status;
}

TEST_F(ImageFilesTest, ReadsFilesAndStandardInputByteForByte) {
  const std::string bytes("\x89PNG\0\n\xff", 7);
  std::istringstream in(bytes);
  EXPECT_EQ(ReadImage(Write("a.png", bytes), in).value(), bytes);
  EXPECT_EQ(ReadImage("-", in).value(), bytes);
}

TEST_F(ImageFilesTest, ReadsUpToTheLimitAndNoFurther) {
  std::istringstream in;
  EXPECT_EQ(ReadImage(Write("fits", std::string(kMaxImageBytes, 'x')), in)->size(), kMaxImageBytes);
  const auto above = ReadImage(Write("above", std::string(kMaxImageBytes + 1, 'x')), in);
  EXPECT_TRUE(absl::IsInvalidArgument(above.status())) << above.status();
  const auto endless = ReadImage("/dev/zero", in);
  EXPECT_TRUE(absl::IsInvalidArgument(endless.status())) << endless.status();
}

TEST_F(ImageFilesTest, MissingAndEmptyFilesAreErrorsThatNameTheFile) {
  std::istringstream in;
  const auto missing = ReadImage(Path("missing.png"), in);
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  EXPECT_THAT(missing.status().ToString(), HasSubstr(Path("missing.png")));
  const auto empty = ReadImage(Write("empty.png", ""), in);
  EXPECT_TRUE(absl::IsInvalidArgument(empty.status())) << empty.status();
  const auto nothing = ReadImage("-", in);
  EXPECT_TRUE(absl::IsInvalidArgument(nothing.status())) << nothing.status();
}

}  // namespace
}  // namespace bitplex
