#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "model_store/format/container.h"
#include "model_store/format/fused_store.h"
#include "model_store/tools/commands.h"
#include "model_store/tools/store_table.h"

namespace bitplex {
namespace {

using Json = nlohmann::json;

struct InspectOptions {
  std::string store;
  bool json = false;
};

Json TaskToJson(const FusedStore& store, size_t index) {
  const TaskInfo& task = store.tasks()[index];
  return {{"name", task.name},
          {"classes", task.labels.size()},
          {"labels", task.labels},
          {"mean", task.mean},
          {"std", task.std},
          {"bits", task.bits},
          {"exponents", task.channel_exponents ? "channel" : "tensor"},
          {"store_bytes", store.TaskBytes(index)},
          {"float32_model_bytes", Float32ModelBytes(store.arch(), task)},
          {"checkpoint", task.checkpoint},
          {"checkpoint_sha256", task.checkpoint_sha256},
          {"checkpoint_metadata", task.checkpoint_metadata}};
}

Json RecordToJson(const format::Record& record) {
  static constexpr const char* kKinds[] = {"words", "signs", "exponents", "float32"};
  Json json = {{"name", record.name},
               {"kind", kKinds[static_cast<uint32_t>(record.kind) - 1]},
               {"shape", std::vector<uint32_t>(record.dims, record.dims + record.rank)},
               {"offset", record.offset},
               {"bytes", record.bytes}};
  if (record.task != format::kAllTasks) json["task"] = record.task;
  if (record.kind == format::Kind::kWords) json["word_bits"] = record.word_bits;
  if (record.kind == format::Kind::kSigns) {
    json["field_shift"] = record.field_shift;
    json["field_bits"] = record.field_bits;
  }
  return json;
}

void PrintJson(const FusedStore& store, std::ostream& out) {
  Json tasks = Json::array();
  uint64_t separate_bytes = 0;
  for (size_t i = 0; i < store.tasks().size(); ++i) {
    tasks.push_back(TaskToJson(store, i));
    separate_bytes += Float32ModelBytes(store.arch(), store.tasks()[i]);
  }
  Json records = Json::array();
  for (const format::Record& record : store.records()) records.push_back(RecordToJson(record));
  const int64_t store_bytes = static_cast<int64_t>(store.mapping().size());
  const int64_t separate = static_cast<int64_t>(separate_bytes);
  const Json json = {{"path", store.path()},
                     {"id", store.id()},
                     {"format_version", format::kVersion},
                     {"architecture", store.arch().name},
                     {"input_height", store.arch().input_height},
                     {"input_width", store.arch().input_width},
                     {"created_by", store.metadata().created_by},
                     {"store_bytes", store_bytes},
                     {"separate_float32_bytes", separate},
                     {"saved_vs_float32_bytes", separate - store_bytes},
                     {"saved_vs_half_bytes", separate / 2 - store_bytes},
                     {"tasks", std::move(tasks)},
                     {"records", std::move(records)}};
  out << json.dump(2) << "\n";
}

absl::Status Inspect(const InspectOptions& options, std::ostream& out) {
  const auto store = FusedStore::Open(options.store);
  if (!store.ok()) return store.status();
  if (options.json) {
    PrintJson(**store, out);
  } else {
    PrintStore(**store, out);
  }
  return absl::OkStatus();
}

absl::Status Verify(const std::string& path, std::ostream& out) {
  const auto store = FusedStore::Open(path);
  if (!store.ok()) return store.status();
  out << path << ": good. " << (*store)->mapping().size()
      << " bytes, every one checked: header, metadata, " << (*store)->records().size()
      << " sections, and the zeros between them. Id " << (*store)->id() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddInspectCommand(CLI::App& app, CommandAction& chosen) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* const command =
      app.add_subcommand("inspect", "Show what a store holds and what it saves");
  command->add_option("store", options->store, "The store file")->required();
  command->add_flag("--json", options->json, "One JSON document, every section included");
  command->callback([options, &chosen] {
    chosen = [options](std::ostream& out) { return Inspect(*options, out); };
  });
}

void AddVerifyCommand(CLI::App& app, CommandAction& chosen) {
  const auto path = std::make_shared<std::string>();
  CLI::App* const command = app.add_subcommand(
      "verify", "Check every byte of a store; exit code 1 and the place if it is damaged");
  command->add_option("store", *path, "The store file")->required();
  command->callback(
      [path, &chosen] { chosen = [path](std::ostream& out) { return Verify(*path, out); }; });
}

}  // namespace bitplex
