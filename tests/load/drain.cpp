// SIGTERM under load, many times over: whatever was admitted is answered, and the server ends with
// 0. See README.md.
#include <grpcpp/create_channel.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bitplex/v1/classifier.grpc.pb.h"
#include "tests/load/server_process.h"
#include "tests/service/serving_fixture.h"

namespace bitplex::load {
namespace {

struct Options {
  int runs = 5;
  int clients = 6;
  int streams = 2;
  uint32_t seed = 1;
};

// What became of the requests of one run. Thread-safe.
class Outcomes {
 public:
  void Answered() { ++answered_; }
  // A call that failed. Refused in the server's words, or never taken to it: not admitted. Anything
  // else was cut off.
  void Failed(const grpc::Status& status) {
    const std::string& message = status.error_message();
    const bool refused = status.error_code() == grpc::UNAVAILABLE &&
                         (absl::StrContains(message, "the server is stopping") ||
                          absl::StrContains(message, "failed to connect to all addresses"));
    if (refused) {
      ++refused_;
      return;
    }
    ++cut_off_;
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "cut off: %d %s\n", status.error_code(), message.c_str());
  }

  uint64_t answered() const { return answered_; }
  uint64_t refused() const { return refused_; }
  uint64_t cut_off() const { return cut_off_; }

 private:
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> cut_off_{0};
  std::mutex mutex_;
};

std::unique_ptr<v1::Classifier::Stub> Dial(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Classifier::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

// One call after another until one fails.
void CallUntilTheEnd(const std::string& address, int client, Outcomes& outcomes) {
  const auto stub = Dial(address);
  const v1::ClassifyRequest request = test::RawRequest(absl::StrCat("task", client % 2), 32, 32, 1);
  for (;;) {
    grpc::ClientContext context;
    v1::ClassifyResponse response;
    const grpc::Status status = stub->Classify(&context, request, &response);
    if (!status.ok()) return outcomes.Failed(status);
    outcomes.Answered();
  }
}

// Sends without waiting for answers until the stream ends. What the server had not yet read then
// was not admitted, so that only how the stream ends can be right or wrong.
void StreamUntilTheEnd(const std::string& address, Outcomes& outcomes) {
  const auto stub = Dial(address);
  grpc::ClientContext context;
  const auto stream = stub->ClassifyStream(&context);
  std::thread writer([&] {
    const v1::ClassifyRequest request = test::RawRequest("task0", 32, 32, 2);
    while (stream->Write(request)) {
    }
  });
  v1::ClassifyStreamResponse response;
  while (stream->Read(&response)) {
    const v1::Error& error = response.error();
    if (response.has_response()) {
      outcomes.Answered();
    } else if (error.code() != grpc::RESOURCE_EXHAUSTED) {
      outcomes.Failed({static_cast<grpc::StatusCode>(error.code()), error.message()});
    }
  }
  writer.join();
  outcomes.Failed(stream->Finish());
}

// Returns whether all was well.
bool StopOnce(const Options& options, std::chrono::milliseconds after, Outcomes& outcomes) {
  ServerProcess server({"--store", test::MakeStore("resnet10-tiny", {8, 8})});
  std::vector<std::thread> clients;
  for (int c = 0; c < options.clients; ++c)
    clients.emplace_back([&, c] { CallUntilTheEnd(server.address(), c, outcomes); });
  for (int s = 0; s < options.streams; ++s)
    clients.emplace_back([&] { StreamUntilTheEnd(server.address(), outcomes); });
  while (outcomes.answered() < 20 && outcomes.cut_off() == 0) std::this_thread::yield();
  std::this_thread::sleep_for(after);
  server.Signal(SIGTERM);
  for (std::thread& client : clients) client.join();
  const int exit_code = server.Wait();
  if (exit_code != 0) std::fprintf(stderr, "exit code %d\n%s", exit_code, server.output().c_str());
  return exit_code == 0 && outcomes.cut_off() == 0;
}

int Run(const Options& options) {
  std::mt19937 random(options.seed);
  int good = 0;
  uint64_t answered = 0, refused = 0, cut_off = 0;
  for (int run = 0; run < options.runs; ++run) {
    Outcomes outcomes;
    good += StopOnce(options, std::chrono::milliseconds(random() % 400), outcomes);
    answered += outcomes.answered();
    refused += outcomes.refused();
    cut_off += outcomes.cut_off();
  }
  std::printf("answered %llu, refused while stopping %llu, cut off %llu\n",
              static_cast<unsigned long long>(answered), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(cut_off));
  std::printf("drain: %d runs of %d good\n", good, options.runs);
  return good == options.runs ? 0 : 1;
}

}  // namespace
}  // namespace bitplex::load

int main(int argc, char** argv) {
  bitplex::load::Options options;
  CLI::App app("Stops servers under load.");
  app.option_defaults()->always_capture_default();
  app.add_option("--runs", options.runs, "Servers to stop, one after another");
  app.add_option("--clients", options.clients, "Clients that call Classify");
  app.add_option("--streams", options.streams, "Clients that stream");
  app.add_option("--seed", options.seed, "Of the moments at which they are stopped");
  CLI11_PARSE(app, argc, argv);
  return bitplex::load::Run(options);
}
