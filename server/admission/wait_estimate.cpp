#include "server/admission/wait_estimate.h"

#include <algorithm>
#include <bit>

namespace bitplex {

using std::chrono::nanoseconds;

namespace {

// The lower one, of the first `count` of `ring`, or of all once it has gone round.
template <typename T, size_t N>
T Median(std::array<T, N> ring, size_t count) {
  const auto end = ring.begin() + static_cast<std::ptrdiff_t>(std::min(count, N));
  const auto median = ring.begin() + (end - ring.begin() - 1) / 2;
  std::nth_element(ring.begin(), median, end);
  return *median;
}

}  // namespace

WaitEstimate::WaitEstimate(size_t task_count, size_t workers, size_t max_batch)
    : workers_(std::max<size_t>(workers, 1)),
      max_batch_(std::max<size_t>(max_batch, 1)),
      tasks_(task_count) {}

void WaitEstimate::Ran(size_t task, size_t images, nanoseconds took, TimePoint now) {
  if (images == 0 || task >= tasks_.size()) return;
  Task& own = tasks_[task];
  if (own.batches > 0 && now - own.last > kFresh) own.batches = 0;
  own.images[own.batches++ % kSamples] = images;
  own.last = now;
  const size_t size = std::min<size_t>(static_cast<size_t>(std::bit_width(images)) - 1, kSizes - 1);
  Samples& samples = own.by_size[size];
  if (samples.count > 0 && now - samples.last > kFresh) samples.count = 0;
  samples.per_image[samples.count++ % kSamples] = took / static_cast<int64_t>(images);
  samples.median = Median(samples.per_image, samples.count);
  samples.last = now;
}

nanoseconds WaitEstimate::PerImage(size_t task, size_t images, TimePoint now) const {
  nanoseconds fastest = nanoseconds::max();
  size_t beyond = 0;  // One more than the largest batch of the sizes that are known.
  for (size_t size = 0; size < kSizes; ++size) {
    const Samples& samples = tasks_[task].by_size[size];
    if (samples.count < kMinSamples || now - samples.last > kFresh) continue;
    fastest = std::min(fastest, samples.median);
    beyond = size_t{2} << size;
  }
  if (beyond == 0) return nanoseconds::zero();
  return std::min(images, max_batch_) < beyond ? fastest : fastest / 2;
}

// Half of the last batches were no larger.
size_t WaitEstimate::UsualBatch(const Task& task, TimePoint now) const {
  if (task.batches == 0 || now - task.last > kFresh) return 1;
  return std::min(Median(task.images, task.batches), max_batch_);
}

nanoseconds WaitEstimate::UntilAnswered(size_t task, size_t images, absl::Span<const size_t> depths,
                                        absl::Span<const size_t> turns, TimePoint now) const {
  const size_t own = depths[task] + images;
  const nanoseconds own_image = PerImage(task, std::min(own, turns[task]), now);
  if (own == 0 || own_image == nanoseconds::zero()) return nanoseconds::zero();
  // The last turn runs on one worker; what comes before is shared among all.
  const size_t before_last = (own - 1) / turns[task];
  nanoseconds before = own_image * static_cast<int64_t>(before_last * turns[task]);
  for (size_t other = 0; other < depths.size(); ++other) {
    const size_t ahead = std::min(depths[other], before_last * turns[other]);
    if (other == task || ahead == 0) continue;
    before +=
        PerImage(other, std::min(depths[other], turns[other]), now) * static_cast<int64_t>(ahead);
  }
  const size_t last = std::max(own - before_last * turns[task],
                               std::min(UsualBatch(tasks_[task], now), turns[task]));
  return before / static_cast<int64_t>(workers_) + own_image * static_cast<int64_t>(last);
}

}  // namespace bitplex
