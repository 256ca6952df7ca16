// ClassifyStream: each request answered once, under its id, whatever becomes of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

using Stream = grpc::ClientReaderWriter<v1::ClassifyRequest, v1::ClassifyStreamResponse>;

std::map<std::string, v1::ClassifyStreamResponse> ReadAll(Stream& stream) {
  std::map<std::string, v1::ClassifyStreamResponse> answers;
  for (v1::ClassifyStreamResponse response; stream.Read(&response);) {
    EXPECT_TRUE(answers.emplace(response.id(), response).second)
        << response.id() << " was answered twice";
  }
  return answers;
}

TEST(ClassifyStream, AnswersEachRequestOnceUnderItsId) {
  const std::string store = MakeStore("resnet10-tiny", {7, 7});
  ServerOptions options = OptionsFor(store);
  options.engine.batcher.workers = 2;
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  constexpr uint32_t kCount = 300;
  std::thread writer([&] {
    for (uint32_t i = 0; i < kCount; ++i) {
      v1::ClassifyRequest request = RawRequest(absl::StrCat("task", i % 2), 32, 32, i);
      request.set_id(absl::StrCat(i));
      request.set_logits(true);
      if (i % 10 == 9) request.set_task("nobody");
      if (i % 10 == 8) request.mutable_image()->set_encoded("broken");
      ASSERT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  const auto answers = ReadAll(*stream);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(answers.size(), kCount);
  for (uint32_t i = 0; i < kCount; ++i) {
    const v1::ClassifyStreamResponse& answer = answers.at(absl::StrCat(i));
    if (i % 10 == 9) {
      EXPECT_EQ(answer.error().code(), grpc::NOT_FOUND);
    } else if (i % 10 == 8) {
      EXPECT_EQ(answer.error().code(), grpc::INVALID_ARGUMENT);
    } else {
      EXPECT_THAT(answer.response().logits(),
                  ::testing::ElementsAreArray(OfflineLogits(store, absl::StrCat("task", i % 2),
                                                            Reading::kMask, RandomRgb(32, 32, i))));
    }
  }
}

TEST(ClassifyStream, EndsAtOnceWithoutRequests) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {7})));
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  stream->WritesDone();
  EXPECT_TRUE(ReadAll(*stream).empty());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(ClassifyStream, AClientThatLeavesCostsNothing) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {7})));
  const auto stub = Connect(*server);
  for (int round = 0; round < 20; ++round) {
    grpc::ClientContext context;
    const auto stream = stub->ClassifyStream(&context);
    for (uint32_t i = 0; i < 40; ++i) {
      v1::ClassifyRequest request = RawRequest("task0", 32, 32, i);
      request.set_id(absl::StrCat(i));
      stream->Write(request);
    }
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  EXPECT_TRUE(stub->Classify(&context, RawRequest("task0", 32, 32, 1), &response).ok());
  server->Stop();
}

TEST(ClassifyStream, StopAnswersWhatIsInFlightAndEndsTheStream) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {7})));
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  v1::ClassifyRequest request = RawRequest("task0", 32, 32, 1);
  request.set_id("the only one");
  ASSERT_TRUE(stream->Write(request));
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.id(), "the only one");
  server->Stop();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::UNAVAILABLE);
}

}  // namespace
}  // namespace bitplex::test
