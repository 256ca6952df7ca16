// A program of the build, run as a user would run it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bitplex::test {

// Runs build/.../bin/<program>. Killed when it is destroyed.
class ChildProcess {
 public:
  ChildProcess(const std::string& program, std::vector<std::string> arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads its standard output and error until `text` appears; false when it ended before.
  bool WaitFor(const std::string& text);
  void Signal(int signal);
  // Waits for its end: the exit code, or minus the signal that ended it.
  int Wait();
  pid_t pid() const { return pid_; }  // -1 after Wait.
  const std::string& output() const { return output_; }

 private:
  bool ReadSome();

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
};

}  // namespace bitplex::test
