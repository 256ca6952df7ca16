#include "client/memory_command.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/message_json.h"
#include "client/output.h"
#include "client/table.h"

namespace bitplex {
namespace {

constexpr auto kRight = Table::Align::kRight;
constexpr double kBytesPerMb = 1e6;

std::string Mb(uint64_t bytes) {
  return absl::StrFormat("%.2f MB", static_cast<double>(bytes) / kBytesPerMb);
}

void PrintTasks(const v1::GetMemoryResponse& response, std::ostream& out) {
  Table table({{"TASK"},
               {"FLOAT32 MODEL", kRight},
               {"HALF MODEL", kRight},
               {"PART OF STORE", kRight},
               {"MATERIALISED NOW", kRight},
               {"TYPE"}});
  for (const v1::TaskMemory& task : response.tasks()) {
    const bool materialized = task.materialized_bytes() != 0;
    table.AddRow({task.name(), Mb(task.float32_model_bytes()), Mb(task.half_model_bytes()),
                  Mb(task.store_bytes()), materialized ? Mb(task.materialized_bytes()) : "-",
                  task.materialized_type()});
  }
  table.Print(out);
}

void PrintProcess(const v1::ProcessMemory& process, std::ostream& out) {
  Table table({{"PROCESS"}, {"HELD", kRight}});
  table.AddRow({"store, mapped (shared between processes)", Mb(process.store_mapped_bytes())});
  table.AddRow({"store, resident in this process", Mb(process.store_resident_bytes())});
  table.AddRow({"views (materialised weights)", Mb(process.view_bytes())});
  table.AddRow({"scratch (layer by layer)", Mb(process.scratch_bytes())});
  table.AddRow({"RSS, whole process", Mb(process.rss_bytes())});
  table.AddRow({"private dirty, whole process", Mb(process.private_dirty_bytes())});
  table.AddRow({"baseline RSS, before the first weight", Mb(process.baseline_rss_bytes())});
  table.Print(out);
}

std::string Saved(int64_t saved_bytes, uint64_t separate_bytes) {
  std::string text = absl::StrFormat("%.2f MB", static_cast<double>(saved_bytes) / kBytesPerMb);
  if (separate_bytes != 0) {
    absl::StrAppendFormat(
        &text, " (%.1f %%)",
        100.0 * static_cast<double>(saved_bytes) / static_cast<double>(separate_bytes));
  }
  return text;
}

std::string Comparison(int64_t saved_bytes) {
  return saved_bytes > 0 ? "less than" : saved_bytes < 0 ? "more than" : "same as";
}

void AddSaving(const std::string& when, const v1::Saving& saving, Table& table) {
  const auto add = [&](const std::string& rival, uint64_t separate_bytes, int64_t saved_bytes) {
    table.AddRow({when, Mb(saving.held_bytes()), Comparison(saved_bytes), rival, Mb(separate_bytes),
                  Saved(saved_bytes, separate_bytes)});
  };
  add("separate float32 models", saving.separate_float32_bytes(), saving.saved_vs_float32_bytes());
  add("separate half-precision models", saving.separate_half_bytes(), saving.saved_vs_half_bytes());
}

void PrintSavings(const v1::GetMemoryResponse& response, std::ostream& out) {
  Table table({{"WHEN"},
               {"HELD", kRight},
               {"THAT IS"},
               {"WHAT ONE MODEL PER TASK HOLDS"},
               {"", kRight},
               {"SAVED", kRight}});
  AddSaving("at rest", response.at_rest(), table);
  AddSaving("now", response.now(), table);
  table.Print(out);
}

}  // namespace

void PrintMemory(const v1::GetMemoryResponse& response, std::ostream& out) {
  out << "1 MB = 1,000,000 bytes; a negative saving means that more is held.\n\n";
  PrintTasks(response, out);
  out << '\n';
  PrintProcess(response.process(), out);
  out << '\n';
  PrintSavings(response, out);
  const v1::ViewCacheStats& views = response.views();
  out << absl::StrCat("\nView cache: budget ", Mb(views.budget_bytes()), ", hits ", views.hits(),
                      ", materialisations ", views.materializations(), ", evictions ",
                      views.evictions(), ", batches layer by layer ", views.streamed_batches(),
                      "\n");
}

int RunMemory(const ConnectionOptions& connection, bool json, std::ostream& out,
              std::ostream& err) {
  const auto stub = Connect(connection);
  if (!stub.ok()) return Fail(err, stub.status());
  const auto response = GetMemory(**stub, connection.request_timeout);
  if (!response.ok()) return Fail(err, response.status());
  if (json) {
    PrintJson(out, ToJson(*response));
  } else {
    PrintMemory(*response, out);
  }
  return kExitOk;
}

}  // namespace bitplex
