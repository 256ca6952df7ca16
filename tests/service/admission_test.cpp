// What a real server refuses for want of room or time, and what its clients learn of it.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <latch>
#include <thread>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/admission/refusal.h"
#include "tests/service/inference_client.h"
#include "tests/service/scrape.h"
#include "tests/service/security_fixture.h"
#include "tests/service/serving_fixture.h"
#include "tests/unit/infer_requests.h"

namespace bitplex::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(60);

// Whether `condition` comes true, however long the machine takes for it.
template <typename Condition>
bool Eventually(const Condition& condition) {
  for (const auto deadline = steady_clock::now() + kPatience; steady_clock::now() < deadline;) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return false;
}

// A server whose batches fill for so long that requests stay in it until the test is over.
ServerOptions Slow(ServerOptions options) {
  options.engine.batcher.batch = {
      .max_batch = 256, .max_delay = std::chrono::minutes(10), .queue_capacity = 256};
  return options;
}

ServerOptions Slow() { return Slow(WithMetrics(MakeStore("resnet10-tiny", {8, 7}))); }

// Unary calls under way. Cancels those that are when it goes.
class Calls {
 public:
  explicit Calls(const Server& server, std::string authorization = "")
      : stub_(Connect(server)), authorization_(std::move(authorization)) {}
  ~Calls() {
    Cancel();
    for (Call& call : calls_) call.over.wait();
  }

  struct Call {
    grpc::ClientContext context;
    v1::ClassifyRequest request;
    v1::ClassifyResponse response;
    grpc::Status status;
    std::latch over{1};
  };

  Call& Send(milliseconds timeout = kPatience) {
    Call& call = calls_.emplace_back();
    call.request = RawRequest("task0", 32, 32, 1);
    call.context.set_deadline(std::chrono::system_clock::now() + timeout);
    if (!authorization_.empty()) call.context.AddMetadata("authorization", authorization_);
    stub_->async()->Classify(&call.context, &call.request, &call.response,
                             [&call](grpc::Status status) {
                               call.status = std::move(status);
                               call.over.count_down();
                             });
    return call;
  }
  // Sends one and waits until it is answered.
  grpc::Status Ask() {
    Call& call = Send();
    call.over.wait();
    return call.status;
  }
  void Cancel() {
    for (Call& call : calls_) call.context.TryCancel();
  }

 private:
  const std::unique_ptr<v1::Classifier::Stub> stub_;
  const std::string authorization_;
  std::deque<Call> calls_;
};

size_t InFlight(Server& server) { return server.admission().controller().counts().requests; }

// What a client reads in the details; 0 without them.
int64_t RetryDelayMs(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::RetryInfo retry;
  if (!details.ParseFromString(status.error_details()) || details.details().empty() ||
      !details.details(0).UnpackTo(&retry)) {
    return 0;
  }
  EXPECT_EQ(details.code(), status.error_code());
  EXPECT_EQ(details.message(), status.error_message());
  return retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1'000'000;
}

TEST(Admission, BytesInFlightAreBounded) {
  ServerOptions options = Slow();
  options.admission.limits.max_inflight_bytes = 64 << 10;
  const auto server = StartOrDie(options);
  Calls calls(*server);
  size_t admitted = 0;
  while (true) {
    Calls::Call& call = calls.Send();
    if (Eventually([&] { return InFlight(*server) > admitted || call.over.try_wait(); }) &&
        InFlight(*server) == admitted) {
      call.over.wait();
      EXPECT_EQ(call.status.error_code(), grpc::RESOURCE_EXHAUSTED);
      EXPECT_THAT(call.status.error_message(), HasSubstr("--max-inflight-mib"));
      EXPECT_GT(RetryDelayMs(call.status), 0);
      EXPECT_EQ(call.context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
      break;
    }
    ASSERT_LT(++admitted, 64u);
  }
  EXPECT_GE(admitted, 2u);
  EXPECT_LE(server->admission().controller().counts().bytes, size_t{64} << 10);
  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(scrape.Value("bitplex_inflight_requests"), static_cast<double>(admitted));
  EXPECT_GT(scrape.Value("bitplex_inflight_bytes"), 0);
  EXPECT_EQ(
      scrape.Value("bitplex_refusals_total", {{"task", "task0"}, {"reason", "inflight_bytes"}}), 1);
}

TEST(Admission, AddressesAreClientsWithoutTokens) {
  ServerOptions options = Slow();
  options.admission.limits.max_client_inflight = 3;
  const auto server = StartOrDie(options);
  Calls one(*server), same_address(*server, "Bearer an-invented-token-0");
  for (int i = 0; i < 3; ++i) one.Send();
  ASSERT_TRUE(Eventually([&] { return InFlight(*server) == 3; }));
  for (Calls* calls : {&one, &same_address}) {
    const grpc::Status status = calls->Ask();
    EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr("--max-client-inflight"));
    EXPECT_GT(RetryDelayMs(status), 0);
  }
  const Scrape scrape = ScrapeMetrics(*server);
  EXPECT_EQ(
      scrape.Value("bitplex_refusals_total", {{"task", "task0"}, {"reason", "client_inflight"}}),
      2);
  EXPECT_EQ(scrape.Value("bitplex_inflight_clients"), 1);
}

TEST(Admission, TokensAreClients) {
  constexpr char kFirst[] = "first-token-of-the-test";
  constexpr char kSecond[] = "second-token-of-the-test";
  const SecurityFiles files;
  ServerOptions options = Slow();
  options.admission.limits.max_client_inflight = 2;
  options.security.token_file = files.WriteTokens(absl::StrCat(kFirst, "\n", kSecond));
  const auto server = StartOrDie(options);
  Calls first(*server, absl::StrCat("Bearer ", kFirst));
  Calls second(*server, absl::StrCat("Bearer ", kSecond));
  for (int i = 0; i < 2; ++i) first.Send();
  ASSERT_TRUE(Eventually([&] { return InFlight(*server) == 2; }));
  EXPECT_EQ(first.Ask().error_code(), grpc::RESOURCE_EXHAUSTED);
  Calls other_spelling(*server, absl::StrCat("bEARER ", kFirst));
  EXPECT_EQ(other_spelling.Ask().error_code(), grpc::RESOURCE_EXHAUSTED);
  second.Send();
  EXPECT_TRUE(Eventually([&] { return InFlight(*server) == 3; }));
  EXPECT_EQ(server->admission().controller().counts().clients, 2u);
}

TEST(Admission, ClientsThatVanishGiveBackWhatTheyHeld) {
  ServerOptions options = Slow();
  options.engine.batcher.batch.max_delay = milliseconds(20);
  const auto server = StartOrDie(options);
  for (int round = 0; round < 5; ++round) {
    Calls calls(*server);
    for (int i = 0; i < 50; ++i) calls.Send();
    ASSERT_TRUE(Eventually([&] { return InFlight(*server) > 0; }));
    calls.Cancel();
  }
  EXPECT_TRUE(Eventually([&] { return InFlight(*server) == 0; }));
  const AdmissionController::Counts counts = server->admission().controller().counts();
  EXPECT_EQ(counts.bytes, 0u);
  EXPECT_EQ(counts.clients, 0u);
}

TEST(Admission, EachMessageOfAStreamHasATicketAndItsErrorADelay) {
  ServerOptions options = Slow();
  options.admission.limits.max_client_inflight = 3;
  const auto server = StartOrDie(options);
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  for (int i = 0; i < 4; ++i) {
    v1::ClassifyRequest request = RawRequest("task0", 32, 32, 1);
    request.set_id(absl::StrCat(i));
    ASSERT_TRUE(stream->Write(request));
  }
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Whichever came last: messages that are read one after another may overtake each other.
  EXPECT_EQ(response.error().code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_GT(response.error().retry_delay_ms(), 0u);
  EXPECT_EQ(InFlight(*server), 3u);
  context.TryCancel();
  EXPECT_FALSE(stream->Finish().ok());
  server->Stop();
  EXPECT_EQ(InFlight(*server), 0u);
}

TEST(Admission, ABrokenImageHasNoDelay) {
  const auto server = StartOrDie(OptionsFor(MakeStore("resnet10-tiny", {8})));
  const auto stub = Connect(*server);
  grpc::ClientContext context;
  v1::ClassifyRequest request;
  request.set_task("task0");
  request.mutable_image()->set_encoded("broken");
  v1::ClassifyResponse response;
  const grpc::Status status = stub->Classify(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_TRUE(status.error_details().empty());
}

TEST(Admission, InferencesAreCountedToo) {
  ServerOptions options = Slow();
  options.admission.limits.max_client_inflight = 2;
  const auto server = StartOrDie(options);
  Calls calls(*server);
  for (int i = 0; i < 2; ++i) calls.Send();
  ASSERT_TRUE(Eventually([&] { return InFlight(*server) == 2; }));
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  inference::ModelInferRequest request =
      RawTensorRequest("UINT8", {1, 32, 32, 3}, RandomRgb(32, 32, 1));
  request.set_model_name("task0");
  const grpc::Status status = ConnectInference(*server)->ModelInfer(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_GT(RetryDelayMs(status), 0);
}

// Sends bursts until the server has refused one for `reason`.
grpc::Status RefusedFor(const Server& server, const std::string& reason, size_t burst,
                        milliseconds timeout) {
  const auto count = [&] {
    return ScrapeMetrics(server).Value("bitplex_refusals_total",
                                       {{"task", "task0"}, {"reason", reason}});
  };
  const double before = count();
  grpc::Status last;
  Eventually([&] {
    Calls calls(server);
    std::vector<Calls::Call*> sent;
    for (size_t i = 0; i < burst; ++i) sent.push_back(&calls.Send(timeout));
    for (Calls::Call* call : sent) {
      call->over.wait();
      if (!call->status.error_details().empty()) last = call->status;
    }
    return count() > before;
  });
  EXPECT_GT(count(), before);
  return last;
}

TEST(Admission, AFullQueueSaysWhenToComeAgain) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8}));
  options.engine.batcher.batch = {.max_batch = 1, .queue_capacity = 1};
  const auto server = StartOrDie(options);
  const grpc::Status status = RefusedFor(*server, "queue_full", 64, kPatience);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_GE(RetryDelayMs(status), kMinRetryDelay.count());
  EXPECT_LE(RetryDelayMs(status), kMaxRetryDelay.count());
}

TEST(Admission, ADeadlineThatTheQueueCannotKeepIsRefusedAtOnce) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8}));
  options.engine.batcher.batch = {.max_batch = 2, .queue_capacity = 200};
  const auto server = StartOrDie(options);
  // Bursts that take longer than this timeout on some machine, and less than its half on another.
  const Labels labels = {{"task", "task0"}, {"reason", "deadline"}};
  milliseconds timeout(1);
  EXPECT_TRUE(Eventually([&] {
    Calls calls(*server);
    std::vector<Calls::Call*> sent;
    for (size_t i = 0; i < 200; ++i) sent.push_back(&calls.Send(timeout));
    for (Calls::Call* call : sent) {
      call->over.wait();
      if (call->status.error_details().empty()) continue;
      EXPECT_EQ(call->status.error_code(), grpc::DEADLINE_EXCEEDED) << call->status.error_message();
      EXPECT_GT(RetryDelayMs(call->status), 0);
    }
    timeout = timeout.count() < 500 ? 2 * timeout : milliseconds(1);
    return ScrapeMetrics(*server).Value("bitplex_refusals_total", labels) > 0;
  }));
}

TEST(Admission, AnIdleServerTakesWhateverDeadlineItIsGivenAfterAFlood) {
  ServerOptions options = WithMetrics(MakeStore("resnet10-tiny", {8}));
  options.engine.batcher.batch = {.max_batch = 2, .queue_capacity = 200};
  const auto server = StartOrDie(options);
  // Bursts of 200 whose last ones cannot be in time. How long they take depends on the machine.
  for (milliseconds timeout(1000); timeout.count() > 0; timeout /= 2) {
    Calls calls(*server);
    for (int i = 0; i < 200; ++i) calls.Send(timeout);
  }
  ASSERT_TRUE(Eventually([&] { return InFlight(*server) == 0; }));
  const Scrape before = ScrapeMetrics(*server);
  Calls calls(*server);
  EXPECT_TRUE(calls.Ask().ok());
  const Labels deadline = {{"task", "task0"}, {"reason", "deadline"}};
  EXPECT_EQ(ScrapeMetrics(*server).Value("bitplex_refusals_total", deadline),
            before.Value("bitplex_refusals_total", deadline));
}

}  // namespace
}  // namespace bitplex::test
