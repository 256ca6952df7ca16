// What `bitplex fuse` does when its input is damaged or its output does not fit: it says what is
// wrong, exits with 1, and leaves the old store as it was. And what a server does whose store file
// is replaced or removed under it: it goes on.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/load/fuse_workshop.h"
#include "tests/load/server_process.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::load {
namespace {

namespace fs = std::filesystem;
using test::ChildProcess;
using test::ReadBytes;
using test::WriteBytes;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class FuseFaults : public ::testing::Test {
 protected:
  // One line that names `path` and `words`, exit code 1, and store 0 as before.
  void ExpectRefused(ChildProcess& tool, const std::string& path, const std::string& words) {
    EXPECT_EQ(tool.Wait(), 1) << tool.output();
    EXPECT_THAT(tool.output(), AllOf(StartsWith("bitplex: "), HasSubstr(path), HasSubstr(words)));
    EXPECT_EQ(shop_.Which(), 0u);
    EXPECT_THAT(shop_.LeftOvers(), IsEmpty());
  }
  FuseWorkshop shop_;
};

TEST_F(FuseFaults, ATruncatedCheckpoint) {
  const std::string path = shop_.Path("11.safetensors");
  std::vector<uint8_t> bytes = ReadBytes(path);
  for (const size_t length : {bytes.size() - 1, bytes.size() / 2, size_t{100}, size_t{7}}) {
    WriteBytes(path, absl::MakeConstSpan(bytes).first(length));
    ChildProcess tool("bitplex", shop_.FuseArguments(1));
    ExpectRefused(tool, path, "");
  }
}

TEST_F(FuseFaults, ADamagedCheckpointHeader) {
  const std::string path = shop_.Path("10.safetensors");
  std::vector<uint8_t> bytes = ReadBytes(path);
  bytes[9] = '!';
  WriteBytes(path, bytes);
  ChildProcess tool("bitplex", shop_.FuseArguments(1));
  ExpectRefused(tool, path, "");
}

// A limit on the size of files, which the tool inherits, fails its writing half-way.
TEST_F(FuseFaults, AStoreThatExceedsTheLimitOnFiles) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit low = before;
  low.rlim_cur = 50'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  ChildProcess tool("bitplex", shop_.FuseArguments(1));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ExpectRefused(tool, shop_.store(), "cannot write");
}

// A file system that has room for the old store, and not for the new one beside it.
TEST_F(FuseFaults, AFullDisk) {
  const std::string disk = shop_.Path("disk");
  fs::create_directory(disk);
  const std::vector<uint8_t> old_store = ReadBytes(shop_.store());
  const std::string size = absl::StrCat("size=", old_store.size() * 3 / 2);
  if (mount("bitplex_test", disk.c_str(), "tmpfs", 0, size.c_str()) != 0)
    GTEST_SKIP() << "may not mount a file system here";
  const std::string store = disk + "/store.bpx";
  WriteBytes(store, old_store);
  ChildProcess tool("bitplex", shop_.FuseArguments(1, store));
  EXPECT_EQ(tool.Wait(), 1);
  EXPECT_THAT(tool.output(),
              AllOf(HasSubstr(store), HasSubstr("cannot write"), HasSubstr("No space left")));
  EXPECT_EQ(ReadBytes(store), old_store);
  EXPECT_EQ(std::distance(fs::directory_iterator(disk), fs::directory_iterator()), 1);
  EXPECT_EQ(umount(disk.c_str()), 0);
}

class ServedStore : public ::testing::Test {
 protected:
  // The outputs for one picture, computed anew: there is no room for a view.
  std::vector<float> Ask() {
    const auto stub = v1::Classifier::NewStub(
        grpc::CreateChannel(server_.address(), grpc::InsecureChannelCredentials()));
    v1::ClassifyRequest request = test::RawRequest("task0", 32, 32, 1);
    request.set_logits(true);
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    const grpc::Status status = stub->Classify(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.logits().begin(), response.logits().end()};
  }
  FuseWorkshop shop_;
  ServerProcess server_{{"--store", shop_.store(), "--view-budget-mib", "0"}};
};

TEST_F(ServedStore, ReplacedByRenamingGoesOnBeingServed) {
  const std::vector<float> before = Ask();
  ASSERT_FALSE(before.empty());
  shop_.Fuse(1);
  EXPECT_EQ(Ask(), before);
  const std::string damaged = shop_.Path("damaged");
  WriteBytes(damaged, std::vector<uint8_t>(1000, 'x'));
  fs::rename(damaged, shop_.store());
  EXPECT_EQ(Ask(), before);
}

TEST_F(ServedStore, RemovedGoesOnBeingServed) {
  const std::vector<float> before = Ask();
  ASSERT_FALSE(before.empty());
  fs::remove(shop_.store());
  EXPECT_EQ(Ask(), before);
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(), 0);
}

}  // namespace
}  // namespace bitplex::load
