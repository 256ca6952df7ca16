#include "tests/load/server_process.h"

#include <grpcpp/create_channel.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bitplex/v1/classifier.grpc.pb.h"

namespace bitplex::load {
namespace {

constexpr std::chrono::minutes kEndTime{2};

cpu_set_t Affinity() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof(set), &set);
  return set;
}

std::vector<std::string> WithPort(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--listen", "127.0.0.1:0"});
  return arguments;
}

// A process begins on the processors of the thread that starts it.
test::ChildProcess StartOn(std::vector<std::string> arguments, const std::vector<int>& cpus) {
  struct Restore {
    ~Restore() { sched_setaffinity(0, sizeof(before), &before); }
    const cpu_set_t before = Affinity();
  } restore;
  RunOn(cpus);
  return {"bitplex-server", WithPort(std::move(arguments))};
}

}  // namespace

v1::GetMemoryResponse MemoryOf(const std::string& address) {
  const auto stub =
      v1::Classifier::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::GetMemoryResponse response;
  const grpc::Status status = stub->GetMemory(&context, {}, &response);
  if (!status.ok()) std::fprintf(stderr, "GetMemory: %s\n", status.error_message().c_str());
  return response;
}

void RunOn(const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0) return;
  std::perror("cannot run on the processors asked for");
  std::exit(2);
}

ServerProcess::ServerProcess(std::vector<std::string> arguments, const std::vector<int>& cpus)
    : process_(StartOn(std::move(arguments), cpus)), pid_(process_.pid()) {
  if (!process_.WaitFor(" executor=")) {
    std::fprintf(stderr, "%s", process_.output().c_str());
    std::exit(2);
  }
  const size_t at = process_.output().find(" port=");
  port_ = std::atoi(process_.output().c_str() + at + 6);
  reader_ = std::thread([this] {
    exit_code_ = process_.Wait();
    ended_ = true;
  });
}

ServerProcess::~ServerProcess() {
  if (!reader_.joinable()) return;
  kill(pid_, SIGKILL);
  reader_.join();
}

uint64_t ServerProcess::RssBytes() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

int ServerProcess::Wait() {
  const auto late = std::chrono::steady_clock::now() + kEndTime;
  while (!ended_ && std::chrono::steady_clock::now() < late)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (!ended_) {
    std::fprintf(stderr, "the server does not end and is killed\n");
    kill(pid_, SIGKILL);
  }
  if (reader_.joinable()) reader_.join();
  return exit_code_;
}

}  // namespace bitplex::load
