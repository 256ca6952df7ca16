// Reading files of secrets.
#include "server/security/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/security/temporary_folder.h"

namespace bitplex::test {
namespace {

using ::testing::HasSubstr;

class SecretFiles : public ::testing::Test {
 protected:
  std::string FaultOf(const std::string& path) {
    const auto file = ReadSecretFile(path, "--token-file");
    if (file.ok()) return "";
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("--token-file " + path + ": "));
    return std::string(file.status().message());
  }
  const TemporaryFolder folder_;
};

TEST_F(SecretFiles, AreReadWhole) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{1} << 20}) {
    const std::string text(size, 'x');
    const auto file = ReadSecretFile(folder_.Write("secret", text), "--token-file");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->content.text(), text);
    EXPECT_EQ(file->content.c_str()[size], '\0');
  }
}

TEST_F(SecretFiles, TellWhenOthersMayReadThem) {
  const std::string path = folder_.Write("secret", "text");
  for (const auto& [mode, open] :
       {std::pair{0600, false}, {0640, false}, {0644, true}, {0602, true}, {0601, false}}) {
    ASSERT_EQ(chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
    const auto file = ReadSecretFile(path, "--token-file");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->open_to_others, open) << mode;
  }
}

TEST_F(SecretFiles, AreFilesOfTextOfBoundedSize) {
  EXPECT_THAT(FaultOf(folder_.Path("missing")), HasSubstr("No such file"));
  EXPECT_THAT(FaultOf(folder_.Write("f", "x") + "/below"), HasSubstr("Not a directory"));
  EXPECT_THAT(FaultOf(folder_.Path(".")), HasSubstr("not a regular file"));
  EXPECT_THAT(FaultOf("/dev/null"), HasSubstr("not a regular file"));
  EXPECT_THAT(FaultOf(folder_.Write("large", std::string((size_t{1} << 20) + 1, 'x'))),
              HasSubstr("larger than 1 MiB"));
  EXPECT_THAT(FaultOf(folder_.Write("nul", std::string("a\0b", 3))), HasSubstr("NUL byte"));
}

TEST_F(SecretFiles, ThatArePipesHoldNobodyUp) {
  const std::string path = folder_.Path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(FaultOf(path), HasSubstr("not a regular file"));
}

TEST(Secret, KeepsItsTextWhenItMoves) {
  Secret first("one");
  Secret second(std::move(first));
  EXPECT_EQ(second.text(), "one");
  Secret third("three");
  third = std::move(second);
  EXPECT_EQ(third.text(), "one");
  EXPECT_EQ(Secret().text(), "");
}

}  // namespace
}  // namespace bitplex::test
