#include "server/metrics/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <exception>

#include "absl/strings/str_cat.h"
#include "server/metrics/http_address.h"
#include "server/serving/classify_job.h"

namespace bitplex {
namespace {

using prometheus::Counter;
using prometheus::Histogram;

// Of gRPC, by number.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
constexpr size_t kUnknownCode = 2;

Histogram::BucketBoundaries DurationSeconds() {
  return {50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3,
          50e-3, 100e-3, 250e-3, 500e-3, 1,    2.5,    5,    10};
}

// From views that thrash to views that stay.
Histogram::BucketBoundaries AgeSeconds() { return {0.01, 0.1, 1, 10, 60, 600, 3600, 21600, 86400}; }

Histogram::BucketBoundaries BatchImages() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

double Seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

prometheus::MetricFamily ToPrometheus(const SampledFamily& family) {
  prometheus::MetricFamily out;
  out.name = family.name;
  out.help = family.help;
  out.type = family.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  for (const SampledValue& value : family.values) {
    prometheus::ClientMetric& metric = out.metric.emplace_back();
    for (const auto& [name, text] : value.labels) metric.label.push_back({name, text});
    metric.counter.value = metric.gauge.value = value.value;
  }
  return out;
}

class Sampled final : public prometheus::Collectable {
 public:
  explicit Sampled(PrometheusMetrics::Sample sample) : sample_(std::move(sample)) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    for (const SampledFamily& family : sample_()) families.push_back(ToPrometheus(family));
    return families;
  }

 private:
  const PrometheusMetrics::Sample sample_;
};

}  // namespace

struct PrometheusMetrics::Families {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Family<Counter>& requests =
      prometheus::BuildCounter()
          .Name("bitplex_requests_total")
          .Help("Requests answered, by gRPC code; task \"\" is a name that the store has not")
          .Register(*registry);
  prometheus::Family<Counter>& refusals =
      prometheus::BuildCounter()
          .Name("bitplex_refusals_total")
          .Help("Of the requests answered, those refused for want of room or time, by reason")
          .Register(*registry);
  prometheus::Family<Histogram>& durations =
      prometheus::BuildHistogram()
          .Name("bitplex_request_duration_seconds")
          .Help(
              "Of a request that is answered with OK, from its arrival (stage total), and of "
              "each of its images (the other stages)")
          .Register(*registry);
  prometheus::Family<Histogram>& batches = prometheus::BuildHistogram()
                                               .Name("bitplex_batch_images")
                                               .Help("Images that ran together")
                                               .Register(*registry);
  prometheus::Family<Histogram>& materializations =
      prometheus::BuildHistogram()
          .Name("bitplex_view_materialize_duration_seconds")
          .Help("Time that it took to make a view")
          .Register(*registry);
  prometheus::Family<Histogram>& ages =
      prometheus::BuildHistogram()
          .Name("bitplex_view_age_at_eviction_seconds")
          .Help("How long a view had lived when it was given back")
          .Register(*registry);
};

// The series of one engine's tasks.
class PrometheusMetrics::TaskRecorder final : public Recorder {
 public:
  TaskRecorder(Families& families, const std::vector<std::string>& task_names);

  void RequestAnswered(std::optional<size_t> task, absl::StatusCode code,
                       std::chrono::nanoseconds total) override;
  void RequestRefused(std::optional<size_t> task, RefusalReason reason) override;
  void BatchRan(size_t task, absl::Span<const JobTimings> images) override;
  void ViewMaterialized(size_t task, std::chrono::nanoseconds took) override {
    tasks_[task].materializations->Observe(Seconds(took));
  }
  void ViewEvicted(size_t task, std::chrono::nanoseconds age) override {
    tasks_[task].ages->Observe(Seconds(age));
  }

 private:
  struct Task {
    std::array<Counter*, kCodes.size()> requests;
    std::array<Counter*, kRefusalNames.size()> refusals;
    // What follows is null for the task "".
    Histogram* queue = nullptr;
    Histogram* decode = nullptr;
    Histogram* view = nullptr;
    Histogram* compute = nullptr;
    Histogram* total = nullptr;
    Histogram* batches = nullptr;
    Histogram* materializations = nullptr;
    Histogram* ages = nullptr;
  };

  std::vector<Task> tasks_;  // One more than there are tasks: for requests that name none of them.
};

struct PrometheusMetrics::Http {
  std::shared_ptr<Sampled> sampled;  // The exposer holds it weakly.
  prometheus::Exposer exposer;
};

PrometheusMetrics::TaskRecorder::TaskRecorder(Families& families,
                                              const std::vector<std::string>& task_names)
    : tasks_(task_names.size() + 1) {
  const auto count_requests = [&families](Task& task, const std::string& name) {
    for (size_t code = 0; code < kCodes.size(); ++code) {
      task.requests[code] = &families.requests.Add({{"task", name}, {"code", kCodes[code]}});
    }
    for (size_t reason = 0; reason < kRefusalNames.size(); ++reason) {
      task.refusals[reason] =
          &families.refusals.Add({{"task", name}, {"reason", kRefusalNames[reason]}});
    }
  };
  for (size_t i = 0; i < task_names.size(); ++i) {
    Task& task = tasks_[i];
    const std::string& name = task_names[i];
    const auto stage = [&](const char* stage_name) {
      return &families.durations.Add({{"task", name}, {"stage", stage_name}}, DurationSeconds());
    };
    count_requests(task, name);
    task.queue = stage("queue");
    task.decode = stage("decode");
    task.view = stage("view");
    task.compute = stage("compute");
    task.total = stage("total");
    task.batches = &families.batches.Add({{"task", name}}, BatchImages());
    task.materializations = &families.materializations.Add({{"task", name}}, DurationSeconds());
    task.ages = &families.ages.Add({{"task", name}}, AgeSeconds());
  }
  count_requests(tasks_.back(), "");
}

void PrometheusMetrics::TaskRecorder::RequestAnswered(std::optional<size_t> index,
                                                      absl::StatusCode code,
                                                      std::chrono::nanoseconds total) {
  const Task& task = tasks_[index.value_or(tasks_.size() - 1)];
  const size_t number = static_cast<size_t>(code);
  task.requests[number < kCodes.size() ? number : kUnknownCode]->Increment();
  if (code == absl::StatusCode::kOk && task.total != nullptr) task.total->Observe(Seconds(total));
}

void PrometheusMetrics::TaskRecorder::RequestRefused(std::optional<size_t> index,
                                                     RefusalReason reason) {
  const Task& task = tasks_[index.value_or(tasks_.size() - 1)];
  task.refusals[static_cast<size_t>(reason)]->Increment();
}

void PrometheusMetrics::TaskRecorder::BatchRan(size_t index, absl::Span<const JobTimings> images) {
  const Task& task = tasks_[index];
  task.batches->Observe(static_cast<double>(images.size()));
  for (const JobTimings& image : images) {
    task.queue->Observe(Seconds(image.queue));
    task.decode->Observe(Seconds(image.decode));
    task.view->Observe(Seconds(image.view));
    task.compute->Observe(Seconds(image.compute));
  }
}

PrometheusMetrics::PrometheusMetrics() : families_(std::make_unique<Families>()) {}

PrometheusMetrics::~PrometheusMetrics() = default;

std::shared_ptr<Recorder> PrometheusMetrics::RecorderFor(
    const std::vector<std::string>& task_names) {
  return std::make_shared<TaskRecorder>(*families_, task_names);
}

absl::Status PrometheusMetrics::Serve(const std::string& listen, Sample sample) {
  const absl::StatusOr<std::string> address = ToHttpAddress(listen);
  if (!address.ok()) return address.status();
  // A client that sends nothing holds one of the two threads no longer than this.
  const std::vector<std::string> options = {"listening_ports",    *address, "num_threads", "2",
                                            "request_timeout_ms", "5000"};
  try {
    http_.reset(
        new Http{std::make_shared<Sampled>(std::move(sample)), prometheus::Exposer(options)});
    http_->exposer.RegisterCollectable(families_->registry);
    http_->exposer.RegisterCollectable(http_->sampled);
  } catch (const std::exception&) {
    // It says no more than that.
    http_.reset();
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", *address,
        ": the port is taken, or the address is not of this machine; give another with "
        "--metrics-listen"));
  }
  return absl::OkStatus();
}

void PrometheusMetrics::StopServing() { http_.reset(); }

int PrometheusMetrics::port() const {
  return http_ == nullptr ? 0 : http_->exposer.GetListeningPorts().front();
}

}  // namespace bitplex
