#include "server/lifecycle/store_watcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

class StoreWatcherTest : public testing::Test {
 protected:
  StoreWatcherTest() { Put(1); }
  ~StoreWatcherTest() override { std::filesystem::remove(path_); }

  void Put(size_t bytes) {
    WriteBytes(path_ + ".new", std::vector<uint8_t>(bytes, 1));
    std::filesystem::rename(path_ + ".new", path_);
  }
  void WaitForCalls(int count) const {
    while (calls_ < count) std::this_thread::yield();
  }

  static constexpr std::chrono::hours kNever{1};

  bool Called() { return ++calls_ > failures_; }

  const std::string path_ = TempPath("watched");
  int failures_ = 0;
  std::atomic<int> calls_ = 0;
};

TEST_F(StoreWatcherTest, CallsOnceForEachFileAlsoAfterOneWasMissing) {
  StoreWatcher watcher(path_, *IdentityOf(path_), std::chrono::milliseconds(1), kNever,
                       [this] { return Called(); });
  Put(2);
  WaitForCalls(1);
  std::filesystem::remove(path_);
  Put(3);
  WaitForCalls(2);
}

TEST_F(StoreWatcherTest, NoticesWhatWasReplacedBeforeItBegan) {
  const FileIdentity known = *IdentityOf(path_);
  Put(2);
  StoreWatcher watcher(path_, known, std::chrono::milliseconds(1), kNever,
                       [this] { return Called(); });
  WaitForCalls(1);
}

TEST_F(StoreWatcherTest, CallsAgainForTheSameFileWhenToldTo) {
  failures_ = 2;
  StoreWatcher watcher(path_, *IdentityOf(path_), std::chrono::milliseconds(1),
                       std::chrono::milliseconds(1), [this] { return Called(); });
  Put(2);
  WaitForCalls(3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(calls_, 3);
}

TEST_F(StoreWatcherTest, EndsAtOnceHoweverLongItsInterval) {
  StoreWatcher watcher(path_, *IdentityOf(path_), std::chrono::hours(1), kNever,
                       [this] { return Called(); });
}

}  // namespace
}  // namespace bitplex::test
