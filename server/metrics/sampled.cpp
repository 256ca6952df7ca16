#include "server/metrics/sampled.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "server/memory/memory_limit.h"

namespace bitplex {
namespace {

SampledFamily One(const char* name, const char* help, double value) {
  return {name, help, false, {{{}, value}}};
}

SampledFamily One(const char* name, const char* help, uint64_t value) {
  return One(name, help, static_cast<double>(value));
}

SampledFamily Counter(const char* name, const char* help, uint64_t value) {
  return {name, help, true, {{{}, static_cast<double>(value)}}};
}

// `value_of(index)` for each task.
template <typename ValueOf>
SampledFamily ByTask(const ServableSet& set, const char* name, const char* help,
                     const ValueOf& value_of) {
  SampledFamily family{name, help, false, {}};
  for (size_t i = 0; i < set.tasks.size(); ++i) {
    family.values.push_back({{{"task", set.tasks[i].info.name}}, static_cast<double>(value_of(i))});
  }
  return family;
}

SampledFamily BuildInfo(std::string_view executor) {
  return {"bitplex_build_info",
          "1; what is running",
          false,
          {{{{"version", BITPLEX_VERSION}, {"executor", std::string(executor)}}, 1}}};
}

SampledFamily TaskInfos(const ServableSet& set) {
  SampledFamily family{"bitplex_task_info", "1; how a task is served", false, {}};
  for (const Servable& task : set.tasks) {
    family.values.push_back({{{"task", task.info.name},
                              {"precision", std::string(PrecisionName(task.network->precision()))},
                              {"mantissa_bits", absl::StrCat(task.info.bits)},
                              {"store_version", task.version}},
                             1});
  }
  return family;
}

void AddViews(const ViewCacheStats& views, std::vector<SampledFamily>& families) {
  families.push_back(Counter("bitplex_view_hits_total",
                             "Batches whose view was there, or was being made already",
                             views.hits));
  families.push_back(Counter("bitplex_view_materializations_total",
                             "Views made of the store's bits", views.materializations));
  families.push_back(Counter("bitplex_view_evictions_total",
                             "Views given back to make room for others", views.evictions));
  families.push_back(Counter("bitplex_view_streamed_total",
                             "Batches that ran layer by layer, for want of room for a view",
                             views.streamed));
  families.push_back(
      One("bitplex_view_budget_bytes", "Most that views may hold", views.budget_bytes));
}

void AddMemory(const MemoryReport& memory, std::vector<SampledFamily>& families) {
  families.push_back(
      One("bitplex_store_mapped_bytes", "The store, mapped", memory.store_mapped_bytes));
  families.push_back(One("bitplex_store_resident_bytes", "Of it, resident in this process",
                         memory.store_resident_bytes));
  families.push_back(
      One("bitplex_scratch_bytes", "Buffers of runs that go layer by layer", memory.scratch_bytes));
  families.push_back({"bitplex_saved_bytes",
                      "Separate float32 models less what is held; negative when more is held",
                      false,
                      {{{{"when", "now"}}, static_cast<double>(memory.now.vs_float32())},
                       {{{"when", "at_rest"}}, static_cast<double>(memory.at_rest.vs_float32())}}});
  families.push_back(
      One("bitplex_process_resident_bytes", "RSS of the whole process", memory.process.rss_bytes));
  families.push_back(One("bitplex_process_private_dirty_bytes",
                         "Of it, what no other process shares and no file holds",
                         memory.process.private_dirty_bytes));
  const std::optional<uint64_t> limit = ReadMemoryLimit();
  families.push_back(
      One("bitplex_memory_limit_bytes", "The control group's limit; +Inf for none",
          limit ? static_cast<double>(*limit) : std::numeric_limits<double>::infinity()));
}

}  // namespace

std::vector<SampledFamily> SampleEngine(const Engine& engine, std::string_view executor) {
  const ServableSet& set = engine.set();
  const MemoryReport memory = engine.Memory();
  std::vector<SampledFamily> families;
  families.push_back(BuildInfo(executor));
  families.push_back(TaskInfos(set));
  families.push_back(ByTask(set, "bitplex_queue_depth", "Images that wait for a worker",
                            [&](size_t task) { return engine.QueueDepth(task); }));
  families.push_back(ByTask(set, "bitplex_view_bytes", "Materialised weights",
                            [&](size_t task) { return memory.tasks[task].materialized_bytes; }));
  AddViews(memory.views, families);
  AddMemory(memory, families);
  return families;
}

void SampleAdmission(const AdmissionController& admission, std::vector<SampledFamily>& families) {
  const AdmissionController::Counts counts = admission.counts();
  families.push_back(One("bitplex_inflight_requests",
                         "Requests that have come and whose answer is not taken",
                         uint64_t{counts.requests}));
  families.push_back(One("bitplex_inflight_bytes", "What they hold", uint64_t{counts.bytes}));
  families.push_back(One("bitplex_inflight_limit_bytes", "Most that they may hold",
                         uint64_t{admission.limits().max_inflight_bytes}));
  families.push_back(
      One("bitplex_inflight_clients", "Clients that they are of", uint64_t{counts.clients}));
}

}  // namespace bitplex
