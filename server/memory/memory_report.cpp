#include "server/memory/memory_report.h"

namespace bitplex {
namespace {

TaskMemory ReportTask(const ServableSet& set, const ViewCache& views, size_t index) {
  const Servable& task = set.tasks[index];
  TaskMemory memory;
  memory.name = task.info.name;
  memory.float32_model_bytes = Float32ModelBytes(*task.arch, task.info);
  memory.half_model_bytes = memory.float32_model_bytes / 2;
  if (set.store == nullptr) {
    memory.materialized_bytes = task.plain_bytes + task.resident->bytes();
  } else {
    memory.store_bytes = set.store->TaskBytes(index);
    memory.materialized_bytes = views.ResidentBytes(index);
  }
  if (memory.materialized_bytes > 0) {
    memory.materialized_type = PrecisionName(task.network->precision());
  }
  return memory;
}

}  // namespace

MemoryReport MakeMemoryReport(const ServableSet& set, const ViewCache& views,
                              uint64_t scratch_bytes, uint64_t baseline_rss_bytes) {
  MemoryReport report;
  Saving separate;
  for (size_t i = 0; i < set.tasks.size(); ++i) {
    report.tasks.push_back(ReportTask(set, views, i));
    separate.separate_float32_bytes += report.tasks.back().float32_model_bytes;
    separate.separate_half_bytes += report.tasks.back().half_model_bytes;
    report.view_bytes += report.tasks.back().materialized_bytes;
  }
  if (set.store != nullptr) {
    report.store_mapped_bytes = set.store->mapping().size();
    report.store_resident_bytes = ReadResidentBytes(set.store->mapping().data());
  }
  report.scratch_bytes = scratch_bytes;
  report.process = ReadProcessMemory();
  report.baseline_rss_bytes = baseline_rss_bytes;
  report.views = views.Stats();
  report.at_rest = separate;
  report.at_rest.held_bytes = set.store != nullptr ? report.store_mapped_bytes : report.view_bytes;
  report.now = separate;
  report.now.held_bytes = report.store_mapped_bytes + report.view_bytes + report.scratch_bytes;
  return report;
}

}  // namespace bitplex
