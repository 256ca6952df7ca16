#include "tests/load/soak_run.h"

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace bitplex::load {
namespace {

constexpr uint64_t kTooManyLost = 1000;
constexpr unsigned kMostComplaints = 20;

}  // namespace

bool SoakRun::NoMore() const {
  return (next_ >= count_ && may_end_) || counts_.lost >= kTooManyLost;
}

void SoakRun::LetEnd() {
  const std::lock_guard lock(mutex_);
  may_end_ = true;
}

std::optional<SoakRun::Ticket> SoakRun::Take() {
  const std::lock_guard lock(mutex_);
  if (NoMore()) return std::nullopt;
  return Ticket{next_++, settled_};
}

void SoakRun::Count(Call call, const Ticket& ticket, std::string_view version,
                    const std::string& error) {
  const std::lock_guard lock(mutex_);
  ++ended_;
  ++counts_.by_call[static_cast<size_t>(call)];
  if (!error.empty()) {
    ++counts_.wrong;
    return Complain(ticket, error);
  }
  // The newest store that this can be an answer of.
  const size_t index = answers_.FindVersion(version);
  uint64_t store = announced_;
  if (store % answers_.versions().size() != index && store > 0) --store;
  const bool of_its_time = store % answers_.versions().size() == index;
  if (!of_its_time || store < ticket.store) {
    ++counts_.stale;
    return Complain(ticket, absl::StrCat("an answer of store ", std::string(version),
                                         ", which was replaced before it was sent"));
  }
  ++counts_.right;
  if (store > settled_) settled_ = store;
}

void SoakRun::Refused() {
  const std::lock_guard lock(mutex_);
  ++counts_.refused;
}

void SoakRun::Lost(const Ticket& ticket, const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++ended_;
  ++counts_.lost;
  Complain(ticket, absl::StrCat("lost: ", why));
}

void SoakRun::StreamEnded() {
  const std::lock_guard lock(mutex_);
  ++counts_.streams;
}

void SoakRun::Stray(const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++counts_.wrong;
  Complain({}, what);
}

void SoakRun::Replacing() { ++announced_; }

bool SoakRun::Finished() const {
  const std::lock_guard lock(mutex_);
  return ended_ == next_ && NoMore();
}

uint64_t SoakRun::given_out() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

uint64_t SoakRun::done() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

SoakCounts SoakRun::Counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void SoakRun::Complain(const Ticket& ticket, const std::string& what) {
  if (++complaints_ > kMostComplaints) return;
  std::fprintf(stderr, "request %llu: %s\n", static_cast<unsigned long long>(ticket.number),
               what.c_str());
}

}  // namespace bitplex::load
