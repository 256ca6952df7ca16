#include "client/classify_command.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/image_files.h"
#include "client/message_json.h"
#include "client/output.h"
#include "client/request_window.h"
#include "client/table.h"
#include "client/text.h"

namespace bitplex {
namespace {

constexpr size_t kMaxInFlight = 32;

struct Result {
  std::string file;
  std::string task;
  absl::StatusOr<v1::ClassifyResponse> response;
};

// Without repetitions, in the order given.
std::vector<std::string> DistinctTasks(const std::vector<std::string>& tasks) {
  std::vector<std::string> distinct;
  for (const std::string& task : tasks) {
    if (std::find(distinct.begin(), distinct.end(), task) == distinct.end()) {
      distinct.push_back(task);
    }
  }
  return distinct;
}

std::vector<Result> ClassifyImages(const ClassifyOptions& options, v1::Classifier::Stub& stub,
                                   std::istream& in) {
  const std::vector<std::string> tasks = DistinctTasks(options.tasks);
  const std::vector<ImageInput> inputs = ExpandImageArguments(options.images);
  std::vector<Result> results;
  // Answers are written into it from other threads, so it must not move.
  results.reserve(inputs.size() * tasks.size());
  RequestWindow window(&stub, kMaxInFlight, options.connection.request_timeout);
  for (const ImageInput& input : inputs) {
    const absl::StatusOr<std::string> bytes =
        input.status.ok() ? ReadImage(input.file, in) : input.status;
    for (const std::string& task : tasks) {
      results.push_back({input.file, task, absl::UnknownError("not answered")});
      if (!bytes.ok()) {
        results.back().response = bytes.status();
        continue;
      }
      v1::ClassifyRequest request;
      request.set_task(task);
      request.mutable_image()->set_encoded(*bytes);
      request.set_top_k(options.top_k);
      request.set_logits(options.logits);
      window.Send(std::move(request), &results.back().response);
    }
  }
  window.Wait();
  for (Result& result : results) {
    if (result.response.ok() && result.response->predictions().empty()) {
      result.response = absl::InternalError("the server's answer holds no prediction");
    }
  }
  return results;
}

double ServerMs(const v1::Timings& timings) {
  return static_cast<double>(timings.queue_us() + timings.decode_us() + timings.view_us() +
                             timings.compute_us()) /
         1000.0;
}

void PrintTable(const std::vector<Result>& results, std::ostream& out, std::ostream& err) {
  constexpr auto kRight = Table::Align::kRight;
  Table table(
      {{"FILE"}, {"TASK"}, {"RANK", kRight}, {"LABEL"}, {"PROBABILITY", kRight}, {"MS", kRight}});
  for (const Result& result : results) {
    if (!result.response.ok()) {
      const std::string code = absl::StatusCodeToString(result.response.status().code());
      table.AddRow({result.file, result.task, "-", absl::StrCat("failed: ", code), "-", "-"});
      continue;
    }
    size_t rank = 0;
    for (const v1::Prediction& prediction : result.response->predictions()) {
      table.AddRow(
          {result.file, result.task, absl::StrCat(++rank), prediction.label(),
           absl::StrFormat("%.2f %%", 100.0 * static_cast<double>(prediction.probability())),
           absl::StrFormat("%.2f", ServerMs(result.response->timings()))});
    }
  }
  table.Print(out);
  for (const Result& result : results) {
    if (!result.response.ok()) {
      err << "bitplex-client: " << Printable(result.file) << " (" << Printable(result.task)
          << "): " << Printable(result.response.status().ToString()) << '\n';
    } else if (!result.response->logits().empty()) {
      out << "\nLogits of " << Printable(result.file) << " (" << Printable(result.task) << "):";
      for (const float logit : result.response->logits()) out << absl::StrFormat(" %.6g", logit);
      out << '\n';
    }
  }
}

nlohmann::ordered_json ResultJson(const Result& result) {
  nlohmann::ordered_json object = {{"file", result.file}, {"task", result.task}};
  if (!result.response.ok()) {
    object["error"] = ErrorJson(result.response.status());
    return object;
  }
  const v1::ClassifyResponse& response = *result.response;
  nlohmann::ordered_json& predictions = object["predictions"] = nlohmann::ordered_json::array();
  for (const v1::Prediction& prediction : response.predictions()) {
    predictions.push_back(ToJson(prediction));
  }
  object["timings"] = ToJson(response.timings());
  object["store_version"] = response.store_version();
  if (!response.logits().empty()) {
    object["logits"] = std::vector<float>(response.logits().begin(), response.logits().end());
  }
  return object;
}

}  // namespace

int RunClassify(const ClassifyOptions& options, std::istream& in, std::ostream& out,
                std::ostream& err) {
  const auto stub = Connect(options.connection);
  if (!stub.ok()) return Fail(err, stub.status());
  const std::vector<Result> results = ClassifyImages(options, **stub, in);
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Result& result : results) list.push_back(ResultJson(result));
    PrintJson(out, {{"results", std::move(list)}});
  } else {
    PrintTable(results, out, err);
  }
  const bool answered = std::all_of(results.begin(), results.end(),
                                    [](const Result& result) { return result.response.ok(); });
  return answered ? kExitOk : kExitFailed;
}

}  // namespace bitplex
