// A progress bar on standard error, drawn only when that is a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace bitplex {

// Not thread-safe.
class Progress {
 public:
  Progress(std::string title, size_t total);
  ~Progress();  // Ends the line.
  // `note` stands behind the bar, such as the accuracy so far.
  void Update(size_t done, const std::string& note = "");

 private:
  const std::string title_;
  const size_t total_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_draw_;
  bool drawn_ = false;
};

}  // namespace bitplex
