// Command lines with values that came out empty, as those of shell variables that are not set do.
#pragma once

#include <CLI/CLI.hpp>

namespace bitplex {

// Throws CLI::ValidationError, which names it, when an option of `app`, or of a subcommand that was
// given, has an empty value: an option for protection must not be taken for one that was left out.
// Call within the parse's try, after it.
inline void RefuseEmptyValues(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& value : option->results()) {
      if (!value.empty()) continue;
      throw CLI::ValidationError(option->get_name(),
                                 "the value is empty; give one, or leave the option out");
    }
  }
  for (const CLI::App* command : app.get_subcommands()) RefuseEmptyValues(*command);
}

}  // namespace bitplex
