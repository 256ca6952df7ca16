// bitplex: makes, shows, checks and measures weight stores.
#include <exception>
#include <iostream>

#include "model_store/tools/commands.h"

int main(int argc, char** argv) {
  using namespace bitplex;
  CLI::App app("Fuses networks of one architecture into one weight store, and looks after stores.");
  app.set_version_flag("--version", "bitplex " BITPLEX_VERSION);
  app.require_subcommand(1);
  CommandAction chosen;
  AddFuseCommand(app, chosen);
  AddInspectCommand(app, chosen);
  AddVerifyCommand(app, chosen);
  AddEvaluateCommand(app, chosen);
  AddTrainCommand(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  absl::Status status;
  try {
    status = chosen(std::cout);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  }
  std::cout.flush();
  if (status.ok() && !std::cout) status = absl::DataLossError("standard output: cannot write");
  if (status.ok()) return 0;
  std::cerr << "bitplex: " << status.message() << "\n";
  return absl::IsCancelled(status) ? 130 : 1;
}
