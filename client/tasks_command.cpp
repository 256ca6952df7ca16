#include "client/tasks_command.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "client/message_json.h"
#include "client/output.h"
#include "client/table.h"
#include "client/text.h"

namespace bitplex {
namespace {

void PrintTasks(const v1::ListTasksResponse& response, std::ostream& out) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"TASK"},
               {"ARCHITECTURE"},
               {"CLASSES", kRight},
               {"INPUT", kRight},
               {"BITS", kRight},
               {"READING"},
               {"CHECKPOINT"}});
  for (const v1::Task& task : response.tasks()) {
    table.AddRow({task.name(), task.architecture(), absl::StrCat(task.labels_size()),
                  absl::StrCat(task.input_height(), "x", task.input_width()),
                  // A task that is not fused owns no bits of a fused word.
                  task.mantissa_bits() == 0 ? "-" : absl::StrCat(task.mantissa_bits()),
                  task.reading(), task.checkpoint()});
  }
  table.Print(out);
  out << "\nStore version: " << Printable(response.store_version()) << '\n';
}

}  // namespace

int RunTasks(const ConnectionOptions& connection, bool json, std::ostream& out, std::ostream& err) {
  const auto stub = Connect(connection);
  if (!stub.ok()) return Fail(err, stub.status());
  const auto response = ListTasks(**stub, connection.request_timeout);
  if (!response.ok()) return Fail(err, response.status());
  if (json) {
    PrintJson(out, ToJson(*response));
  } else {
    PrintTasks(*response, out);
  }
  return kExitOk;
}

}  // namespace bitplex
