// How long an image will wait, from what lately ran: the estimation policy alone, without threads
// or a clock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace bitplex {

// Errs on the short side, because a wrong refusal costs an answer and a wrong admission only a
// place in the queue. So it knows nothing until a task has run a few batches lately, takes the
// median of those (the first of a task makes its weights, and takes many times longer), the size of
// batch that was the fastest per image, and half of that where batches would be larger than any
// seen. Not thread-safe.
class WaitEstimate {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // A batch size tells something once it has been seen this often,
  static constexpr size_t kMinSamples = 4;
  // of the last so many,
  static constexpr size_t kSamples = 8;
  // and last within this time: older measurements are of another load.
  static constexpr std::chrono::seconds kFresh{10};

  // At least 1 worker, and batches of at least 1.
  WaitEstimate(size_t task_count, size_t workers, size_t max_batch);

  // A batch of `images` of `task` kept one worker busy for `took`, until `now`.
  void Ran(size_t task, size_t images, std::chrono::nanoseconds took, TimePoint now);

  // What an image of `task` takes in a batch of `images`. 0 when that is not known.
  std::chrono::nanoseconds PerImage(size_t task, size_t images, TimePoint now) const;

  // Until `images` more of `task`, at the end of its queue, would be answered, from when a worker
  // is free. By task: `depths` are the images that wait, and `turns` the most, at least 1, that run
  // together when it is the task's turn. The last of its batches is as large as the last ones were,
  // because others will have joined. 0 when it is not known.
  std::chrono::nanoseconds UntilAnswered(size_t task, size_t images,
                                         absl::Span<const size_t> depths,
                                         absl::Span<const size_t> turns, TimePoint now) const;

 private:
  // Batches of 2^i to 2^(i+1) - 1 images.
  static constexpr size_t kSizes = 11;
  struct Samples {
    std::array<std::chrono::nanoseconds, kSamples> per_image{};  // A ring.
    std::chrono::nanoseconds median{0};                          // Of it.
    size_t count = 0;                                            // Ever.
    TimePoint last;
  };
  struct Task {
    std::array<Samples, kSizes> by_size;
    std::array<size_t, kSamples> images{};  // Of the last batches; a ring.
    size_t batches = 0;                     // Since measurements are fresh.
    TimePoint last;
  };

  size_t UsualBatch(const Task& task, TimePoint now) const;

  const size_t workers_;
  const size_t max_batch_;
  std::vector<Task> tasks_;
};

}  // namespace bitplex
