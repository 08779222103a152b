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
  // Its ranks are processes under mpirun or srun, each with a guard.
  bool distributed = false;
};

// In the order of the help text.
const std::vector<Command>& commands();

// The command that this command line (as below) calls; null for none. What it
// is decides what main does before all else.
const Command* called_command(const std::vector<std::string>& args);

// The whole command line without the program's name; returns the exit code.
// ConfigError for an unknown command (names the nearest) or bad options.
int run_command_line(const std::vector<std::string>& args);

}  // namespace sono
