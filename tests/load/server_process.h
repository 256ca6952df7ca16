// A bitplex-server of this build in a process of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bitplex/v1/memory.pb.h"
#include "tests/service/child_process.h"

namespace bitplex::load {

// Not thread-safe, but for RssBytes. Killed when it is destroyed.
class ServerProcess {
 public:
  // Starts it at a free port of 127.0.0.1 with `arguments` more, and waits until it is ready; ends
  // this program with the server's own words when it does not start. `cpus` are the processors it
  // may use; none: all.
  explicit ServerProcess(std::vector<std::string> arguments, const std::vector<int>& cpus = {});
  ~ServerProcess();

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  uint64_t RssBytes() const;  // 0 once it has ended.
  void Signal(int signal) { process_.Signal(signal); }
  // Waits for its end: the exit code, or minus the signal that ended it. After two minutes it is
  // killed.
  int Wait();
  // What it printed. After Wait.
  const std::string& output() const { return process_.output(); }

 private:
  test::ChildProcess process_;
  const pid_t pid_;
  int port_ = 0;
  int exit_code_ = 0;  // Once ended_ is true.
  std::atomic<bool> ended_{false};
  std::thread reader_;  // Else a full pipe would stop the server.
};

// What it answers to GetMemory; nothing, and the reason is printed, when it does not.
v1::GetMemoryResponse MemoryOf(const std::string& address);

// Keeps this thread, and those that it starts, on `cpus`; none: leaves it where it is.
void RunOn(const std::vector<int>& cpus);

}  // namespace bitplex::load
