#pragma once
// Runs a recipe: cohorts, generators, synthetic pairs, tuned segmenters,
// evaluation, report. Read this to see the whole loop.

#include <set>
#include <string>

#include "experiments/run_context.h"

namespace sono {

struct RunRequest {
  std::filesystem::path out;
  bool update = false;  // take a folder made by another config
  // Ends after this part, for a chain of jobs: generators, datasets, tuning or
  // evaluation; empty: all of it.
  std::string until{};

  void validate() const;  // ConfigError naming the flag
};

struct RunOutcome {
  std::filesystem::path report;  // report.html; empty where a part was asked
  std::string table;             // the text table for the terminal
  int stages_done = 0;
  int stages_skipped = 0;
};

// All ranks must call. Errors: those of sono::Error; StopRequested after all
// ranks saved. Run it again to go on.
RunOutcome run_recipe(const Recipe& recipe, const OptionTable& options,
                      const RunRequest& request, Communicator& comm,
                      const StopSignal& stop);

// Names of the stages (and "evaluation") that a run into `out` would find
// finished, without doing any. All ranks must call.
std::set<std::string> find_finished(const Recipe& recipe,
                                    const OptionTable& options,
                                    const std::filesystem::path& out,
                                    Communicator& comm, const StopSignal& stop);

}  // namespace sono
