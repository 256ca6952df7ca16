// What the senders of one soak share: which requests are still to be sent, and what became of those
// that were.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "tests/load/answers.h"
#include "tests/load/mixed_requests.h"

namespace bitplex::load {

struct SoakCounts {
  uint64_t right = 0;
  uint64_t wrong = 0;
  uint64_t stale = 0;    // Right, but of a store that had been replaced before it was sent.
  uint64_t lost = 0;     // Requests that ended without an answer.
  uint64_t refused = 0;  // Times; each was sent again.
  uint64_t streams = 0;  // Streams that ended as they should.
  std::array<uint64_t, 3> by_call{};  // Answers: Classify, ClassifyStream, ModelInfer.
};

enum class Call { kClassify, kClassifyStream, kModelInfer };

// Thread-safe.
class SoakRun {
 public:
  SoakRun(const Answers& answers, const MixedRequests& requests, uint64_t count)
      : answers_(answers), requests_(requests), count_(count) {}

  const MixedRequests& requests() const { return requests_; }

  // A request that is to be sent now; whoever takes it reports its end below. None when `count`
  // have been given out and LetEnd was called, or too many were lost to go on.
  struct Ticket {
    uint64_t number = 0;
    uint64_t store = 0;  // Of the sequence below.
  };
  std::optional<Ticket> Take();
  void LetEnd();

  // An answer came. Checks it. `message` is a v1::ClassifyResponse or an
  // inference::ModelInferResponse.
  template <typename Response>
  void Answered(Call call, const Ticket& ticket, std::string_view version,
                const Response& message) {
    Count(call, ticket, version, requests_.Check(ticket.number, message));
  }
  // The server refused it for now; it is to be sent again, and its ticket stays open.
  void Refused();
  void Lost(const Ticket& ticket, const std::string& why);
  void StreamEnded();
  // An answer that nobody had asked for: a wrong one.
  void Stray(const std::string& what);

  // The stores that are served one after another are counted from 0; their weights alternate
  // between the answers' versions. From Replacing on, answers of the next one are right too; once
  // one has been seen, requests sent from then on must get no other.
  void Replacing();
  bool Replaced() const { return settled_ == announced_; }

  bool Finished() const;  // All that was given out has ended, and there is no more.
  uint64_t given_out() const;
  uint64_t done() const;
  SoakCounts Counts() const;

 private:
  void Count(Call call, const Ticket& ticket, std::string_view version, const std::string& error);
  void Complain(const Ticket& ticket, const std::string& what);
  bool NoMore() const;

  const Answers& answers_;
  const MixedRequests& requests_;
  const uint64_t count_;
  std::atomic<uint64_t> settled_{0};
  std::atomic<uint64_t> announced_{0};
  mutable std::mutex mutex_;  // Guards all below.
  bool may_end_ = false;
  uint64_t next_ = 0;
  uint64_t ended_ = 0;
  SoakCounts counts_;
  unsigned complaints_ = 0;
};

}  // namespace bitplex::load
