// Clients that stay without taking part: connections that say nothing, answers that nobody reads.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/service/raw_connection.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::test {
namespace {

using std::chrono::milliseconds;
using ::testing::AnyOf;
using std::chrono::steady_clock;

constexpr uint32_t kUsualWindow = 65'535;

std::string TestStore() { return MakeStore("resnet10-tiny", {8}); }

AdmissionController::Counts InFlight(Server& server) {
  return server.admission().controller().counts();
}

// Whether `condition` comes true, however long the machine takes for it.
template <typename Condition>
bool Eventually(const Condition& condition) {
  for (const auto deadline = steady_clock::now() + std::chrono::seconds(60);
       steady_clock::now() < deadline;) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

bool Answers(const Server& server) {
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  return Connect(server)->Classify(&context, RawRequest("task0", 32, 32, 1), &response).ok();
}

TEST(Connections, ThatNeverBeginAreClosed) {
  ServerOptions options = OptionsFor(TestStore());
  options.grpc.handshake_timeout = milliseconds(100);
  const auto server = StartOrDie(options);
  const RawConnection silent(server->port());
  const RawConnection half(server->port());
  half.Send("PRI * HTTP/2.0");
  EXPECT_TRUE(silent.ClosedByServer());
  EXPECT_TRUE(half.ClosedByServer());
  EXPECT_TRUE(Answers(*server));
}

// As one whose machine was switched off: it acknowledges no ping.
TEST(Connections, WhosePeerHasGoneAreClosed) {
  ServerOptions options = OptionsFor(TestStore());
  options.grpc.keepalive_time = milliseconds(100);
  options.grpc.keepalive_timeout = milliseconds(100);
  const auto server = StartOrDie(options);
  const RawConnection gone(server->port());
  gone.Begin(kUsualWindow);
  EXPECT_TRUE(gone.ClosedByServer());
  EXPECT_TRUE(Answers(*server));
}

TEST(Connections, WithoutCallsAreClosed) {
  ServerOptions options = OptionsFor(TestStore());
  options.grpc.max_connection_idle = milliseconds(100);
  options.grpc.keepalive_time = std::chrono::hours(1);
  const auto server = StartOrDie(options);
  const RawConnection idle(server->port());
  idle.Begin(kUsualWindow);
  EXPECT_TRUE(idle.ClosedByServer());
}

TEST(Connections, ThatAskForTooManySignsOfLifeAreClosed) {
  ServerOptions options = OptionsFor(TestStore());
  options.grpc.min_ping_interval = std::chrono::hours(1);
  const auto server = StartOrDie(options);
  const RawConnection busybody(server->port());
  busybody.Begin(kUsualWindow);
  for (int i = 0; i < 8; ++i) {
    // PING, 8 bytes, no acknowledgement.
    busybody.Send(std::string("\0\0\x08\x06\0\0\0\0\0", 9) + "12345678");
  }
  EXPECT_TRUE(busybody.ClosedByServer());
}

TEST(Headers, ThatAreTooLargeAreRefused) {
  const auto server = StartOrDie(OptionsFor(TestStore()));
  for (const size_t bytes : {size_t{1} << 10, size_t{1} << 20}) {
    grpc::ClientContext context;
    context.AddMetadata("large", std::string(bytes, 'x'));
    v1::ListTasksResponse response;
    const grpc::Status status = Connect(*server)->ListTasks(&context, {}, &response);
    EXPECT_EQ(status.ok(), bytes < (16 << 10)) << status.error_message();
  }
  EXPECT_TRUE(Answers(*server));
}

// Flow control lets nothing of the answers through, so the calls never end by themselves.
TEST(UnreadAnswers, EndTheirCallsAfterTheWriteTimeout) {
  ServerOptions options = OptionsFor(TestStore());
  options.admission.write_timeout = milliseconds(200);
  const auto server = StartOrDie(options);
  const RawConnection client(server->port());
  client.Begin(0);
  constexpr uint32_t kCalls = 10;
  for (uint32_t i = 0; i < kCalls; ++i) {
    client.Call(2 * i + 1, "/bitplex.v1.Classifier/Classify",
                RawRequest("task0", 32, 32, i).SerializeAsString());
  }
  ASSERT_TRUE(Eventually([&] { return InFlight(*server).requests > 0; }));
  EXPECT_TRUE(Eventually([&] { return InFlight(*server).requests == 0; }));
  EXPECT_TRUE(Answers(*server));
}

TEST(UnreadAnswers, OfAStreamAreBoundedAndEndIt) {
  ServerOptions options = OptionsFor(TestStore());
  options.admission.write_timeout = milliseconds(500);
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  // Requests go on until the server takes no more, and then no further, until it ends the stream.
  v1::ClassifyRequest request = RawRequest("task0", 32, 32, 1);
  request.set_id(std::string(256, 'x'));
  size_t most_requests = 0;
  std::atomic<bool> ended{false};
  std::thread writer([&] {
    while (stream->Write(request)) {
    }
    ended = true;
  });
  EXPECT_TRUE(Eventually([&] {
    most_requests = std::max(most_requests, InFlight(*server).requests);
    return ended.load();
  }));
  context.TryCancel();
  writer.join();
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  EXPECT_GT(most_requests, 0u);
  EXPECT_LE(most_requests, 64u);
  EXPECT_TRUE(Eventually([&] { return InFlight(*server).requests == 0; }));
  EXPECT_EQ(InFlight(*server).bytes, 0u);
  EXPECT_TRUE(Answers(*server));
}

TEST(UnreadAnswers, DoNotEndAStreamThatIsSlowerThanTheTimeoutButReads) {
  ServerOptions options = OptionsFor(TestStore());
  options.admission.write_timeout = milliseconds(50);
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(stream->Write(RawRequest("task0", 32, 32, 1)));
    std::this_thread::sleep_for(milliseconds(100));
    v1::ClassifyStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// Several times what may be in flight, and what gRPC may buffer, at once. Under that pressure gRPC
// also closes connections (UNAVAILABLE); their clients connect anew.
TEST(Buffers, AFloodOfLargeMessagesIsAnsweredOrRefusedAndLeavesNothing) {
  ServerOptions options = OptionsFor(TestStore());
  options.engine.images.max_encoded_bytes = 1 << 20;
  options.admission.limits.max_inflight_bytes = size_t{8} << 20;
  const auto server = StartOrDie(options);
  constexpr int kClients = 8, kEach = 8;
  std::atomic<int> answered{0};
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < kClients; ++c) {
      clients.emplace_back([&] {
        const auto stub = Connect(*server);
        for (int i = 0; i < kEach; ++i) {
          grpc::ClientContext context;
          v1::ClassifyResponse response;
          const grpc::Status status =
              stub->Classify(&context, RawRequest("task0", 1000, 1000, 1), &response);
          answered += status.ok();
          EXPECT_THAT(status.error_code(),
                      AnyOf(grpc::OK, grpc::RESOURCE_EXHAUSTED, grpc::UNAVAILABLE))
              << status.error_message();
        }
      });
    }
  }
  EXPECT_GT(answered, 0);
  EXPECT_TRUE(Eventually([&] { return InFlight(*server).requests == 0; }));
  EXPECT_TRUE(Eventually([&] { return Answers(*server); }));
}

}  // namespace
}  // namespace bitplex::test
