#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "client/admin_command.h"
#include "client/classify_command.h"
#include "client/connection.h"
#include "client/evaluate_command.h"
#include "client/health_command.h"
#include "client/memory_command.h"
#include "client/output.h"
#include "client/tasks_command.h"
#include "model_store/util/empty_values.h"

namespace bitplex {
namespace {

constexpr int64_t kMaxTimeoutMs = int64_t{24} * 60 * 60 * 1000;
constexpr uint32_t kMaxTopK = 1'000'000;
constexpr int64_t kMaxLimit = 1'000'000'000;

std::string NotEmpty(const std::string& value) {
  return value.empty() ? "a task name is empty; 'bitplex-client tasks' lists them" : "";
}

void AddSecurity(CLI::App& app, ClientSecurity& security) {
  app.add_flag("--tls", security.tls, "Use TLS, and trust the system's authorities");
  app.add_option("--tls-ca", security.tls_ca, "Use TLS, and trust the authorities in this PEM file")
      ->envname("BITPLEX_TLS_CA")
      ->type_name("FILE");
  CLI::Option* const cert =
      app.add_option("--tls-cert", security.tls_cert,
                     "This client's certificate (PEM), for a server that asks for one")
          ->envname("BITPLEX_TLS_CERT")
          ->type_name("FILE");
  CLI::Option* const key =
      app.add_option("--tls-key", security.tls_key, "Private key of the certificate (PEM)")
          ->envname("BITPLEX_TLS_KEY")
          ->type_name("FILE")
          ->needs(cert);
  cert->needs(key);
  app.add_option("--token-file", security.token_file,
                 "Send the first token in this file with every call")
      ->envname("BITPLEX_TOKEN_FILE")
      ->type_name("FILE");
  app.add_flag("--insecure", security.insecure,
               "Send the token without TLS, on a network that is protected by other means");
}

CLI::App* AddClassify(CLI::App& app, ClassifyOptions& options) {
  CLI::App* command = app.add_subcommand(
      "classify",
      "Classify images, each for every --task. Exit code 0: all were answered; 1: some failed.\n"
      "MS is the server's time: queue, decoding, waiting for the weights, and the network.");
  // Without allow_extra_args(false), --task would also swallow the files that follow it.
  command->add_option("--task", options.tasks, "Task to ask for; repeat it, or separate by commas")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(NotEmpty);
  command
      ->add_option("images", options.images,
                   "Image files (JPEG, PNG, WebP, BMP; up to 16 MiB), folders (their image files, "
                   "not of subfolders), or - for one image from standard input")
      ->required();
  command->add_option("--top-k", options.top_k, "Labels for each image, best first")
      ->check(CLI::Range(uint32_t{1}, kMaxTopK))
      ->capture_default_str();
  command->add_flag("--logits", options.logits, "Also give the network's raw outputs");
  return command;
}

CLI::App* AddEvaluate(CLI::App& app, EvaluateOptions& options) {
  CLI::App* command = app.add_subcommand(
      "evaluate",
      "Measure the accuracy of a task on a CIFAR binary file, over the wire.\n"
      "--json: task, images, correct, correct_top5, top1 and top5 (percent, 0 to 100), seconds,\n"
      "images_per_second, refusals (answers of a full queue, sent again), store_version.");
  command->add_option("--task", options.task, "Task to evaluate")->required()->check(NotEmpty);
  command->add_option("--data", options.data, "CIFAR binary file, such as test_batch.bin")
      ->required();
  command
      ->add_option("--limit", options.limit, "Use the first N images; 0 means all")
      // CLI11 would read -1 as the largest number.
      ->check(CLI::Range(int64_t{0}, kMaxLimit))
      ->capture_default_str();
  command->add_option("--predictions", options.predictions,
                      "Write a CSV file with one line an image: index,label,predicted");
  return command;
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, std::istream& in, std::ostream& out,
                   std::ostream& err) {
  ConnectionOptions connection;
  int64_t timeout_ms = connection.request_timeout.count();
  bool json = false;
  ClassifyOptions classify;
  EvaluateOptions evaluate;

  CLI::App app("Command-line client of a Bitplex server", "bitplex-client");
  app.set_version_flag("--version", BITPLEX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--server", connection.server, "Address of the server, HOST:PORT or unix:PATH")
      ->envname("BITPLEX_SERVER")
      ->capture_default_str();
  AddSecurity(app, connection.security);
  app.add_option("--timeout-ms", timeout_ms, "Longest time for one request, in milliseconds")
      ->check(CLI::Range(int64_t{1}, kMaxTimeoutMs))
      ->capture_default_str();
  app.add_flag("--json", json,
               "Write one JSON document to standard output, and nothing else there (nothing at "
               "all when the command as a whole fails)");
  // Subcommands take over fallthrough() from the app.
  const CLI::App* classify_command = AddClassify(app, classify);
  const CLI::App* tasks_command = app.add_subcommand("tasks", "List the tasks that are served");
  CLI::App* health_command = app.add_subcommand(
      "health",
      "Ask for the server's health (grpc.health.v1): SERVING, with exit code 0, or not, with 1.\n"
      "Needs no token");
  std::string asked;
  health_command->add_option("task", asked, "Of this task");
  const CLI::App* memory_command =
      app.add_subcommand("memory", "Report the server's memory and what it saves");
  AddEvaluate(app, evaluate);
  const CLI::App* reload_command = app.add_subcommand(
      "reload",
      "Have the server read its store again and serve it. --server is its --admin-listen");
  CLI::App* evict_command = app.add_subcommand(
      "evict", "Have the server give back materialised weights. --server is its --admin-listen");
  std::string evicted;
  evict_command->add_option("task", evicted, "Of this task alone");

  try {
    app.parse(argc, argv);
    RefuseEmptyValues(app);
  } catch (const CLI::ParseError& error) {
    // Asking for help is "thrown" too, with the exit code 0.
    return app.exit(error, out, err) == 0 ? kExitOk : kExitUsage;
  }
  connection.request_timeout = std::chrono::milliseconds(timeout_ms);

  if (tasks_command->parsed()) return RunTasks(connection, json, out, err);
  if (health_command->parsed()) return RunHealth(connection, asked, json, out, err);
  if (memory_command->parsed()) return RunMemory(connection, json, out, err);
  if (reload_command->parsed()) return RunReload(connection, json, out, err);
  if (evict_command->parsed()) return RunEvict(connection, evicted, json, out, err);
  if (classify_command->parsed()) {
    classify.connection = connection;
    classify.json = json;
    return RunClassify(classify, in, out, err);
  }
  evaluate.connection = connection;
  evaluate.json = json;
  return RunEvaluate(evaluate, out, err);
}

}  // namespace bitplex
