// Stores put in another's place while a real server answers.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/app/server.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/tiny_network.h"

namespace bitplex::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() { Put(two_tasks_); }
  ~ReloadTest() override { std::filesystem::remove(path_); }

  // As a careful operator does: under another name first.
  void Put(const std::string& store) {
    std::filesystem::copy_file(store, path_ + ".new",
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(path_ + ".new", path_);
  }

  static grpc::Status Classify(v1::Classifier::Stub& stub, const std::string& task, uint32_t seed,
                               v1::ClassifyResponse& response) {
    grpc::ClientContext context;
    v1::ClassifyRequest request = RawRequest(task, 32, 32, seed);
    request.set_logits(true);
    return stub.Classify(&context, request, &response);
  }

  // What `store` gives for the picture of `seed`.
  static std::vector<float> Right(const std::string& store, const std::string& task,
                                  uint32_t seed) {
    return OfflineLogits(store, task, Reading::kMask, RandomRgb(32, 32, seed));
  }

  static std::vector<float> Logits(const v1::ClassifyResponse& response) {
    return {response.logits().begin(), response.logits().end()};
  }

  const std::string two_tasks_ = MakeStore("resnet10-tiny", {8, 8});
  const std::string three_tasks_ = MakeStore("resnet10-tiny", {7, 7, 7});
  const std::string path_ = TempPath("reloaded.bpx");
};

TEST_F(ReloadTest, TasksAppearAndDisappear) {
  const auto server = StartOrDie(OptionsFor(path_));
  const auto stub = Connect(*server);
  v1::ClassifyResponse response;
  EXPECT_EQ(Classify(*stub, "task2", 1, response).error_code(), grpc::NOT_FOUND);
  Put(three_tasks_);
  const auto grown = server->Reload("test");
  ASSERT_TRUE(grown.ok()) << grown.status();
  EXPECT_TRUE(grown->changed);
  EXPECT_NE(grown->version, grown->previous_version);
  EXPECT_THAT(grown->added, ElementsAre("task2"));
  EXPECT_THAT(grown->removed, IsEmpty());
  ASSERT_TRUE(Classify(*stub, "task2", 1, response).ok());
  EXPECT_EQ(response.store_version(), grown->version);
  EXPECT_EQ(Logits(response), Right(three_tasks_, "task2", 1));
  Put(two_tasks_);
  const auto shrunk = server->Reload("test");
  ASSERT_TRUE(shrunk.ok());
  EXPECT_THAT(shrunk->removed, ElementsAre("task2"));
  EXPECT_EQ(Classify(*stub, "task2", 1, response).error_code(), grpc::NOT_FOUND);
}

TEST_F(ReloadTest, OfTheSameStoreChangesNothing) {
  const auto server = StartOrDie(OptionsFor(path_));
  const std::shared_ptr<Engine> before = server->engine();
  const auto result = server->Reload("test");
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->changed);
  EXPECT_EQ(server->engine(), before);
}

TEST_F(ReloadTest, ThoseAskedForDuringOneShareTheNext) {
  constexpr size_t kCallers = 8;
  const ServerOptions options = OptionsFor(path_);
  const auto factory = *EngineFactory::Open(options, options.engine, nullptr);
  ModelHost host(*factory->Make());
  std::atomic<size_t> begun = 0;
  std::atomic<bool> first = true;
  // The first one is held up until the store is another and the others are there.
  Reloader reloader(*factory, host, [&](const std::vector<std::string>&) {
    if (!first.exchange(false)) return;
    Put(two_tasks_);
    while (begun < kCallers) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  const std::string before = host.Current()->set().store->id();
  Put(three_tasks_);
  std::thread held([&] { EXPECT_TRUE(reloader.Reload("first")->changed); });
  while (first) std::this_thread::yield();
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      ++begun;
      EXPECT_EQ(reloader.Reload("other")->version, before) << "the store as of the call";
    });
  }
  held.join();
  for (std::thread& caller : callers) caller.join();
  EXPECT_LT(reloader.counts().done, 1 + kCallers);
}

TEST_F(ReloadTest, OfABadStoreChangesNothingAndSaysWhy) {
  const auto server = StartOrDie(OptionsFor(path_));
  const std::shared_ptr<Engine> before = server->engine();
  std::vector<uint8_t> bytes = ReadBytes(three_tasks_);
  bytes[bytes.size() / 2] ^= 1;
  const std::string bad = TempPath("bad_reload.bpx");
  WriteBytes(bad, bytes);
  Put(bad);
  const auto damaged = server->Reload("test");
  EXPECT_THAT(damaged.status().ToString(), HasSubstr("checksum"));
  std::filesystem::remove(path_);
  const auto missing = server->Reload("test");
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  EXPECT_EQ(server->engine(), before);
  v1::ClassifyResponse response;
  ASSERT_TRUE(Classify(*Connect(*server), "task1", 5, response).ok());
  EXPECT_EQ(Logits(response), Right(two_tasks_, "task1", 5));
  std::filesystem::remove(bad);
}

TEST_F(ReloadTest, UnderLoadEveryAnswerIsOfTheStoreItNames) {
  ServerOptions options = OptionsFor(path_);
  options.engine.batcher.workers = 2;
  const auto server = StartOrDie(options);
  constexpr uint32_t kPictures = 4;
  std::map<std::string, std::vector<std::vector<float>>> right;  // By version, then picture.
  for (const std::string& store : {two_tasks_, three_tasks_}) {
    const std::string version = (*FusedStore::Open(store))->id();
    for (uint32_t i = 0; i < kPictures; ++i) right[version].push_back(Right(store, "task0", i));
  }
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < 3; ++c) {
    clients.emplace_back([&] {
      const auto stub = Connect(*server);
      for (uint32_t i = 0; !done; i = (i + 1) % kPictures) {
        v1::ClassifyResponse response;
        if (!Classify(*stub, "task0", i, response).ok()) ++failed;
        const auto known = right.find(response.store_version());
        if (known == right.end() || known->second[i] != Logits(response)) ++wrong;
      }
    });
  }
  for (int swap = 0; swap < 20; ++swap) {
    Put(swap % 2 == 0 ? three_tasks_ : two_tasks_);
    const auto result = server->Reload("test");
    EXPECT_TRUE(result.ok() && result->changed) << result.status();
  }
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(failed, 0);
}

TEST_F(ReloadTest, AReplacedStoreIsUnmappedOnceItsCallsAreAnswered) {
  const auto server = StartOrDie(OptionsFor(path_));
  const std::weak_ptr<const FusedStore> old = server->engine()->set().store;
  Put(three_tasks_);
  std::shared_ptr<Engine> call = server->engine();
  ASSERT_TRUE(server->Reload("test").ok());
  EXPECT_FALSE(old.expired());
  call.reset();
  while (!old.expired()) std::this_thread::yield();  // By a thread of the host's.
}

TEST_F(ReloadTest, AStreamGoesOnWithTheNewStore) {
  const auto server = StartOrDie(OptionsFor(path_));
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  v1::ClassifyStreamResponse first;
  v1::ClassifyStreamResponse second;
  ASSERT_TRUE(stream->Write(RawRequest("task0", 32, 32, 1)) && stream->Read(&first));
  Put(three_tasks_);
  ASSERT_TRUE(server->Reload("test").ok());
  ASSERT_TRUE(stream->Write(RawRequest("task2", 32, 32, 1)) && stream->Read(&second));
  EXPECT_EQ(second.response().task(), "task2");
  EXPECT_NE(first.response().store_version(), second.response().store_version());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ReloadTest, ReplacedFilesAreNoticedWhenWatched) {
  ServerOptions options = OptionsFor(path_);
  options.watch_store = std::chrono::milliseconds(20);
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  Put(three_tasks_);
  v1::ClassifyResponse response;
  while (!Classify(*stub, "task2", 1, response).ok()) std::this_thread::yield();
  EXPECT_EQ(Logits(response), Right(three_tasks_, "task2", 1));
}

}  // namespace
}  // namespace bitplex::test
