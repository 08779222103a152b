#pragma once
// The recipe of a run that exists, for commands that join it.

#include <string>

#include "experiments/guest_run.h"
#include "experiments/recipe.h"
#include "launch/options/command_line.h"

namespace sono {

// The recipe as the run's folder holds it; --set comes last. `recipe` is
// described in line.config(). ConfigError when `run` is no run's folder.
void load_run_config(CommandLine& line, const std::string& run,
                     const Recipe& recipe);

// --watch, with `help` of its own, --idle and --poll. Before parse.
void add_watch_flags(CommandLine& line, WatchOptions& watch,
                     const std::string& help);

}  // namespace sono
