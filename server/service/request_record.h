// One request on its way into the metrics.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "server/serving/engine.h"

namespace bitplex {

// Made when a request has come. Costs nothing when the engine has no recorder.
class RequestRecord {
 public:
  explicit RequestRecord(std::shared_ptr<const Engine> engine);

  // Call once, before the answer is sent, so that who has it finds it counted. `task` is as the
  // client sent it: only names that the store has are told apart.
  void Answered(std::string_view task, const absl::Status& status) const;

 private:
  std::shared_ptr<const Engine> engine_;  // Null without a recorder.
  TimePoint came_;
};

}  // namespace bitplex
