#include "server/serving/engine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/serving/image_input.h"

namespace bitplex {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

microseconds Since(TimePoint start) {
  return duration_cast<microseconds>(steady_clock::now() - start);
}

size_t LargestScratch(const ServableSet& set) {
  size_t bytes = 0;
  for (const Servable& task : set.tasks) bytes = std::max(bytes, task.network->scratch_bytes());
  return bytes;
}

// The jobs of one batch whose images could be decoded, and their input to the network.
struct DecodedBatch {
  std::vector<std::unique_ptr<ClassifyJob>> jobs;
  std::vector<JobTimings> timings;
  std::vector<float> input;
};

// Refuses those whose image is broken.
DecodedBatch DecodeBatch(const Servable& task, std::vector<std::unique_ptr<Job>> jobs) {
  const Architecture& arch = *task.arch;
  const size_t image_floats = arch.input_values();
  const TimePoint taken = steady_clock::now();
  DecodedBatch batch;
  std::vector<uint8_t> rgb(image_floats);
  for (std::unique_ptr<Job>& job : jobs) {
    std::unique_ptr<ClassifyJob> classify(static_cast<ClassifyJob*>(job.release()));
    const TimePoint start = steady_clock::now();
    batch.input.resize(batch.input.size() + image_floats);
    absl::Status status = ReadImage(classify->input().image, arch, task.info, absl::MakeSpan(rgb),
                                    absl::MakeSpan(batch.input).last(image_floats));
    if (!status.ok()) {
      batch.input.resize(batch.input.size() - image_floats);
      classify->Refuse(std::move(status));
      continue;
    }
    JobTimings timings;
    timings.queue = duration_cast<microseconds>(taken - classify->admitted());
    timings.decode = Since(start);
    batch.timings.push_back(timings);
    batch.jobs.push_back(std::move(classify));
  }
  return batch;
}

}  // namespace

Engine::Engine(std::shared_ptr<const ServableSet> set, const EngineOptions& options,
               uint64_t baseline_rss_bytes, std::shared_ptr<Recorder> recorder)
    : set_(std::move(set)),
      options_(options),
      baseline_rss_bytes_(baseline_rss_bytes),
      recorder_(std::move(recorder)),
      views_(options.view_budget_bytes, set_->tasks.size(), recorder_.get()),
      scratch_(std::max<size_t>(options.scratch_buffers, 1), LargestScratch(*set_)),
      batcher_(options.batcher, set_->tasks.size(),
               [this](size_t worker, size_t task, std::vector<std::unique_ptr<Job>> jobs) {
                 RunBatch(worker, task, std::move(jobs));
               }) {}

absl::Status Engine::Submit(ClassifyInput input) {
  const size_t task = input.task;
  if (task >= set_->tasks.size()) return absl::InternalError("there is no such task");
  const absl::Status usable = CheckImage(input.image, *set_->tasks[task].arch, options_.images);
  if (!usable.ok()) return usable;
  return batcher_.Submit(task,
                         std::make_unique<ClassifyJob>(std::move(input), steady_clock::now()));
}

// Finds weights, by what it costs least: those in memory, a view that is there or can be made, or
// each layer as it is needed. `view` is how long it took before the network could start.
absl::Status Engine::RunNetwork(size_t index, absl::Span<const float> images, size_t count,
                                absl::Span<float> logits, microseconds& view) {
  const Servable& task = set_->tasks[index];
  const TimePoint start = steady_clock::now();
  if (task.resident != nullptr) return task.network->Run(*task.resident, images, count, logits);
  const absl::StatusOr<ViewCache::Pin> pin =
      views_.Acquire(index, task.network->packed_bytes(), [&] { return Pack(task); });
  view = Since(start);
  // Without memory for a view there may still be enough for a buffer.
  if (!pin.ok() && !absl::IsResourceExhausted(pin.status())) return pin.status();
  if (pin.ok() && *pin != nullptr) return task.network->Run(**pin, images, count, logits);
  absl::StatusOr<ScratchPool::Lease> scratch = scratch_.Borrow();
  if (!scratch.ok()) return scratch.status();
  view = Since(start);
  const absl::Status status = task.network->RunLayerwise(scratch->bytes(), images, count, logits);
  return status.ok() ? CheckStore() : status;
}

// Asked after weights were read, and before anything is made of them.
absl::Status Engine::CheckStore() {
  if (set_->Unchanged()) return absl::OkStatus();
  return absl::UnavailableError(
      "the store was changed in place while it was served, so its weights cannot be trusted; send "
      "it to another server, or put a whole store in its place and reload");
}

absl::StatusOr<std::shared_ptr<const PackedWeights>> Engine::Pack(const Servable& task) {
  auto packed = task.network->Pack();
  if (packed.ok()) {
    if (absl::Status status = CheckStore(); !status.ok()) return status;
  }
  return packed;
}

absl::Status Engine::WarmUp() {
  for (size_t task = 0; task < set_->tasks.size(); ++task) {
    const Servable& servable = set_->tasks[task];
    for (const size_t count : {size_t{1}, options_.batcher.batch.max_batch}) {
      const std::vector<float> images(count * servable.arch->input_values());
      std::vector<float> logits(count * servable.classes());
      microseconds view{0};
      const absl::Status status = RunNetwork(task, images, count, absl::MakeSpan(logits), view);
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat("task '", servable.info.name,
                                                        "': ", std::string(status.message())));
      }
    }
  }
  return absl::OkStatus();
}

void Engine::RunBatch(size_t worker, size_t index, std::vector<std::unique_ptr<Job>> jobs) {
  const Servable& task = set_->tasks[index];
  const size_t taken = jobs.size();
  DecodedBatch batch = DecodeBatch(task, std::move(jobs));
  const size_t count = batch.jobs.size();
  if (count == 0) return batcher_.NoteCost(worker, {.broken = taken});

  std::vector<float> logits(count * task.classes());
  microseconds view{0};
  const TimePoint start = steady_clock::now();
  const absl::Status status = RunNetwork(index, batch.input, count, absl::MakeSpan(logits), view);
  batcher_.NoteCost(worker, {.overhead = view, .broken = taken - count});
  const microseconds compute = Since(start) - view;
  for (JobTimings& timings : batch.timings) {
    timings.view = view;
    timings.compute = compute;
    timings.batch_size = count;
  }
  // Before any answer, so that who has one finds it counted.
  if (status.ok() && recorder_ != nullptr) recorder_->BatchRan(index, batch.timings);
  for (size_t i = 0; i < count; ++i) {
    if (!status.ok()) {
      batch.jobs[i]->Refuse(status);
      continue;
    }
    const ClassifyInput& input = batch.jobs[i]->input();
    const absl::Span<const float> own =
        absl::MakeSpan(logits).subspan(i * task.classes(), task.classes());
    Classification answer;
    answer.ranked = TopK(own, std::max<size_t>(input.top_k, 1));
    if (input.logits) answer.logits.assign(own.begin(), own.end());
    answer.timings = batch.timings[i];
    batch.jobs[i]->Answer(std::move(answer));
  }
}

MemoryReport Engine::Memory() const {
  return MakeMemoryReport(*set_, views_, scratch_.bytes(), baseline_rss_bytes_);
}

}  // namespace bitplex
