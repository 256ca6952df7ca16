// The metrics in Prometheus's text format, on an HTTP port of their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/metrics/recorder.h"
#include "server/metrics/sampled.h"

namespace bitplex {

// Thread-safe as a Recorder. All series of all tasks exist from the start, so that reporting looks
// nothing up, and locks at most the one histogram that it adds to.
class PrometheusMetrics final : public Recorder {
 public:
  // By task index.
  explicit PrometheusMetrics(const std::vector<std::string>& task_names);
  ~PrometheusMetrics() override;

  void RequestAnswered(std::optional<size_t> task, absl::StatusCode code,
                       std::chrono::nanoseconds total) override;
  void RequestRefused(std::optional<size_t> task, RefusalReason reason) override;
  void BatchRan(size_t task, absl::Span<const JobTimings> images) override;
  void ViewMaterialized(size_t task, std::chrono::nanoseconds took) override;
  void ViewEvicted(size_t task, std::chrono::nanoseconds age) override;

  // Answers GET /metrics at `listen`, HOST:PORT, with what was reported and what `sample` finds; it
  // is called for every scrape, by two threads of the port's own. Call once. INVALID_ARGUMENT for
  // what is no address; UNAVAILABLE when the port is taken.
  using Sample = std::function<std::vector<SampledFamily>()>;
  absl::Status Serve(const std::string& listen, Sample sample);

  // When it returns, `sample` is not running and will not be called again. Takes up to 2 seconds:
  // civetweb looks no more often whether it is to stop.
  void StopServing();

  int port() const;  // 0 when it does not serve.

 private:
  struct Task;
  struct Http;
  struct Families;

  std::unique_ptr<Families> families_;
  std::vector<Task> tasks_;  // One more than there are tasks: for requests that name none of them.
  std::unique_ptr<Http> http_;
};

}  // namespace bitplex
