// The commands of `bitplex`. Each adds itself to the command line and, when it was chosen, runs.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <ostream>

#include "absl/status/status.h"

namespace bitplex {

// What a chosen command does: writes its result to `out`. A failure becomes one line on standard
// error and exit code 1.
using CommandAction = std::function<absl::Status(std::ostream& out)>;

// Add `bitplex NAME` to `app`. When that command is on the command line, `chosen` is set.
void AddFuseCommand(CLI::App& app, CommandAction& chosen);
void AddInspectCommand(CLI::App& app, CommandAction& chosen);
void AddVerifyCommand(CLI::App& app, CommandAction& chosen);
void AddEvaluateCommand(CLI::App& app, CommandAction& chosen);
void AddTrainCommand(CLI::App& app, CommandAction& chosen);

}  // namespace bitplex
