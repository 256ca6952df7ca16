#include "model_store/util/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace bitplex {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              ("atomic_file_" + std::to_string(getpid()) + "_" + info->name());
    fs::create_directory(folder_);
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  std::string Path(const char* name = "store") const { return (folder_ / name).string(); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void Write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static absl::Status Replace(const std::string& path, std::string_view text) {
    AtomicFile file(path);
    absl::Status status = file.Open();
    if (status.ok()) status = file.Write(text.data(), text.size());
    return status.ok() ? file.Commit() : status;
  }

  fs::path folder_;
};

TEST_F(AtomicFileTest, MakesANewFile) {
  EXPECT_EQ(Replace(Path(), "new"), absl::OkStatus());
  EXPECT_EQ(Read(Path()), "new");
  EXPECT_THAT(Names(), UnorderedElementsAre("store"));
}

TEST_F(AtomicFileTest, TheOldFileStaysUntilTheCommit) {
  Write(Path(), "old");
  AtomicFile file(Path());
  ASSERT_EQ(file.Open(), absl::OkStatus());
  ASSERT_EQ(file.Write("ne", 2), absl::OkStatus());
  ASSERT_EQ(file.Write("w", 1), absl::OkStatus());
  EXPECT_EQ(Read(Path()), "old");
  EXPECT_LE(Names().size(), 2u);  // Where it can, it has no name yet.
  ASSERT_EQ(file.Commit(), absl::OkStatus());
  EXPECT_EQ(Read(Path()), "new");
  EXPECT_THAT(Names(), UnorderedElementsAre("store"));
}

// Whoever has the old file open goes on reading it: it is another file, not the same one rewritten.
TEST_F(AtomicFileTest, AnOpenOldFileIsNotTouched) {
  Write(Path(), "old");
  std::ifstream open_before(Path());
  ASSERT_EQ(Replace(Path(), "new"), absl::OkStatus());
  std::string text;
  open_before >> text;
  EXPECT_EQ(text, "old");
}

TEST_F(AtomicFileTest, WithoutACommitNothingIsLeft) {
  Write(Path(), "old");
  {
    AtomicFile file(Path());
    ASSERT_EQ(file.Open(), absl::OkStatus());
    ASSERT_EQ(file.Write("new", 3), absl::OkStatus());
  }
  EXPECT_EQ(Read(Path()), "old");
  EXPECT_THAT(Names(), UnorderedElementsAre("store"));
}

TEST_F(AtomicFileTest, ModeFollowsTheUmask) {
  for (const mode_t mask : {mode_t{0022}, mode_t{0027}, mode_t{0077}}) {
    const mode_t before = umask(mask);
    const absl::Status status = Replace(Path(), "new");
    const mode_t after = umask(before);
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(after, mask) << "the process's umask is as it was";
    struct stat info {};
    ASSERT_EQ(stat(Path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777u, 0666u & ~mask);
  }
}

TEST_F(AtomicFileTest, AMissingFolderIsNamed) {
  const std::string path = Path("none/store");
  const absl::Status status = Replace(path, "new");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST_F(AtomicFileTest, AFolderThatIsAFileIsRefused) {
  Write(Path("file"), "old");
  EXPECT_FALSE(Replace(Path("file/store"), "new").ok());
  EXPECT_THAT(Names(), UnorderedElementsAre("file"));
}

TEST_F(AtomicFileTest, ADirectoryAndADeviceAreNotReplaced) {
  fs::create_directory(Path("directory"));
  for (const std::string& path : {Path("directory"), std::string("/dev/null")}) {
    const absl::Status status = Replace(path, "new");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path), HasSubstr("regular file")));
  }
  EXPECT_THAT(Names(), UnorderedElementsAre("directory"));
}

TEST_F(AtomicFileTest, AReadOnlyFolderIsNamedAndTheOldFileStays) {
  Write(Path(), "old");
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                               fs::perms::others_exec);
  // Root may write everywhere; as nobody, a containerised test can still be refused.
  constexpr uid_t kNobody = 65534;
  const bool is_root = geteuid() == 0;
  if (is_root && seteuid(kNobody) != 0) GTEST_SKIP() << "root here, and cannot become another user";
  const absl::Status status = Replace(Path(), "new");
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path()));
  EXPECT_EQ(Read(Path()), "old");
  EXPECT_THAT(Names(), UnorderedElementsAre("store"));
}

// A limit on the size of files fails a write half-way, as a full disk does.
TEST_F(AtomicFileTest, AfterAFailedWriteTheOldFileStaysAndNothingElseIsLeft) {
  Write(Path(), "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit low = before;
  low.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status status = Replace(Path(), std::string(5000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(Path()), HasSubstr("cannot write")));
  EXPECT_EQ(Read(Path()), "old");
  EXPECT_THAT(Names(), UnorderedElementsAre("store"));
}

TEST_F(AtomicFileTest, AFailedRenameLeavesNothing) {
  AtomicFile file(Path());
  ASSERT_EQ(file.Open(), absl::OkStatus());
  fs::create_directory(Path());  // Something took the name meanwhile.
  EXPECT_THAT(std::string(file.Commit().message()), HasSubstr("cannot rename"));
}

TEST_F(AtomicFileTest, ANameWithoutAFolderIsInTheCurrentOne) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const absl::Status status = Replace("plain", "new");
  fs::current_path(before);
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(Read(Path("plain")), "new");
}

}  // namespace
}  // namespace bitplex
