#include "server/admission/wait_estimate.h"

#include <algorithm>
#include <bit>

namespace bitplex {

using std::chrono::nanoseconds;

WaitEstimate::WaitEstimate(size_t task_count, size_t workers, size_t max_batch)
    : workers_(std::max<size_t>(workers, 1)),
      max_batch_(std::max<size_t>(max_batch, 1)),
      tasks_(task_count) {}

void WaitEstimate::Ran(size_t task, size_t images, nanoseconds took, TimePoint now) {
  if (images == 0 || task >= tasks_.size()) return;
  const size_t size = std::min<size_t>(static_cast<size_t>(std::bit_width(images)) - 1, kSizes - 1);
  Samples& samples = tasks_[task][size];
  if (samples.count > 0 && now - samples.last > kFresh) samples.count = 0;
  samples.per_image[samples.count % kSamples] = took / static_cast<int64_t>(images);
  ++samples.count;
  samples.last = now;
}

nanoseconds WaitEstimate::PerImage(size_t task, size_t images, TimePoint now) const {
  nanoseconds fastest = nanoseconds::max();
  size_t largest = 0;
  for (size_t size = 0; size < kSizes; ++size) {
    const Samples& samples = tasks_[task][size];
    if (samples.count < kMinSamples || now - samples.last > kFresh) continue;
    std::array<nanoseconds, kSamples> sorted = samples.per_image;
    const auto end = sorted.begin() +
                     std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(samples.count), kSamples);
    const auto median = sorted.begin() + (end - sorted.begin() - 1) / 2;
    std::nth_element(sorted.begin(), median, end);
    fastest = std::min(fastest, *median);
    largest = size_t{2} << size;  // One more than the largest batch of this size.
  }
  if (largest == 0) return nanoseconds::zero();
  return std::min(images, max_batch_) < largest ? fastest : fastest / 2;
}

nanoseconds WaitEstimate::UntilAnswered(size_t task, size_t images, absl::Span<const size_t> depths,
                                        TimePoint now) const {
  const size_t own = depths[task] + images;
  const nanoseconds own_image = PerImage(task, own, now);
  if (own == 0 || own_image == nanoseconds::zero()) return nanoseconds::zero();
  // The last batch runs on one worker; what comes before is shared among all.
  const size_t turns = (own - 1) / max_batch_;
  nanoseconds before = own_image * static_cast<int64_t>(turns * max_batch_);
  for (size_t other = 0; other < depths.size(); ++other) {
    if (other == task) continue;
    const size_t ahead = std::min(depths[other], turns * max_batch_);
    before += PerImage(other, depths[other], now) * static_cast<int64_t>(ahead);
  }
  return before / static_cast<int64_t>(workers_) +
         own_image * static_cast<int64_t>(own - turns * max_batch_);
}

}  // namespace bitplex
