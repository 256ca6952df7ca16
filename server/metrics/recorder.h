// What requests, batches and views report of themselves as they happen.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/admission/refusal.h"

namespace bitplex {

struct JobTimings;  // server/serving/classify_job.h

// Thread-safe. Who reports holds a pointer, null when nobody listens, and loses nothing but the
// test of it then. Tasks are indices in the servable set. No method may block or call back: some
// are called under a lock.
class Recorder {
 public:
  virtual ~Recorder() = default;

  // A request got its answer, `total` after it came. No task: it named none of the store's.
  virtual void RequestAnswered(std::optional<size_t> task, absl::StatusCode code,
                               std::chrono::nanoseconds total) = 0;

  // The request that is answered now was refused by load, and why.
  virtual void RequestRefused(std::optional<size_t> task, RefusalReason reason) = 0;

  // A batch ran; `images` has the timings of each of its images.
  virtual void BatchRan(size_t task, absl::Span<const JobTimings> images) = 0;

  virtual void ViewMaterialized(size_t task, std::chrono::nanoseconds took) = 0;

  // A view was given back, `age` after it was made.
  virtual void ViewEvicted(size_t task, std::chrono::nanoseconds age) = 0;
};

}  // namespace bitplex
