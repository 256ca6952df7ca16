// Load by the clock or by completion on one kind of request, and what became of every call.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "bitplex/v1/classifier.pb.h"

namespace bitplex::load {

struct FloodOptions {
  std::string address;
  std::vector<v1::ClassifyRequest> requests;  // Sent in turn.
  double seconds = 1;
  std::chrono::milliseconds deadline{1000};  // Of each call.
  size_t connections = 4;
  // Calls in flight, a new one for each that ends; or, when 0, calls begin by the clock,
  // `rate_per_s` of them, whatever becomes of them.
  size_t in_flight = 0;
  double rate_per_s = 0;
};

// Milliseconds from the call to its end.
struct FloodResult {
  std::vector<double> accepted_ms;  // Answered.
  std::vector<double> refused_ms;   // RESOURCE_EXHAUSTED, or DEADLINE_EXCEEDED before its time.
  std::vector<double> expired_ms;   // DEADLINE_EXCEEDED at the deadline: admitted in vain.
  std::map<std::string, size_t> failed;  // Anything else, by its error.
  std::vector<double> compute_ms;        // Of the batch that an answer was in.
  std::vector<double> queue_ms;          // What the server says that those waited for a worker.
  double seconds = 0;                    // That calls were begun for.
  double behind_ms = 0;                  // The most that the sender was late by.

  size_t sent() const;
  size_t failures() const;
  double accepted_per_s() const { return static_cast<double>(accepted_ms.size()) / seconds; }
};

// Blocks until all calls have ended. Uses one thread more than the caller's.
FloodResult Flood(const FloodOptions& options);

// The smallest of `values` that `share` of them are not above; 0 when there are none.
double Percentile(std::vector<double> values, double share);

}  // namespace bitplex::load
