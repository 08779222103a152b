#pragma once
// A subcommand of `sonoforge`. Each one is a file in launch/commands/; the list
// stands in launch/command.cc and nowhere else.

#include <string>
#include <vector>

namespace sono {

struct Command {
  std::string name;
  std::string summary;  // one line of `sonoforge --help`
  // Gets what follows the name; returns the exit code. Throws sono::Error.
  int (*run)(const std::vector<std::string>& args);
  // Looks at StopSignal, saves and ends with 75; others end on a signal at
  // once.
  bool resumable = false;
};

// In the order of the help text.
const std::vector<Command>& commands();

// Does this command line (as below) call a resumable command? Then main
// installs the stop signal's handlers before all else.
bool is_resumable(const std::vector<std::string>& args);

// The whole command line without the program's name; returns the exit code.
// ConfigError for an unknown command (names the nearest) or bad options.
int run_command_line(const std::vector<std::string>& args);

}  // namespace sono
