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

// Thread-safe.
class PrometheusMetrics {
 public:
  PrometheusMetrics();
  ~PrometheusMetrics();

  // For engines whose tasks have these names, by index. All their series exist from then on, so
  // that reporting looks nothing up, and locks at most the one histogram that it adds to. Series of
  // a name are one, whichever recorder adds to them, and stay when the task is gone. Must not
  // outlive this.
  std::shared_ptr<Recorder> RecorderFor(const std::vector<std::string>& task_names);

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
  class TaskRecorder;
  struct Http;
  struct Families;

  std::unique_ptr<Families> families_;
  std::unique_ptr<Http> http_;
};

}  // namespace bitplex
