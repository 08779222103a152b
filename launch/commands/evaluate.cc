// `sonoforge evaluate RUN` and `sonoforge report RUN`: workers and readers of a
// run's folder, beside the run or after it.

#include <cstdio>

#include "experiments/joined_run.h"
#include "launch/commands/commands.h"
#include "launch/options/device.h"
#include "launch/options/run_config.h"

namespace sono {
namespace {

void print_missing(const std::vector<std::string>& missing) {
  for (const std::string& part : missing) {
    std::printf("missing: %s\n", part.c_str());
  }
}

}  // namespace

int evaluate_command(const Arguments& args) {
  std::string run;
  WatchOptions watch{.watch = false};
  Recipe recipe;
  CommandLine line(
      "evaluate [--watch] [--idle SECONDS] RUN",
      "A worker for the evaluation of a run: scores what is tuned and not "
      "scored yet, from\ncached embeddings. Any number of workers may share "
      "the folder, on any node, beside\nthe run or after it, and be killed at "
      "any time; the run takes up what they scored.\nGive other paths of this "
      "node with --set place.weights=FILE and the like.");
  line.argument("RUN", &run, "folder of the run");
  add_watch_flags(
      line, watch,
      "wait for what is not tuned yet; end when every cell is there");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  load_run_config(line, run, recipe);
  use_worker_device(recipe.place.device);
  const StopSignal stop;
  const WatchOutcome outcome =
      JoinedRun(recipe, line.config(), run, stop).evaluate(watch);
  std::printf("%zu cells were missing when looked at; the run is %s\n",
              outcome.scored, outcome.complete ? "complete" : "not complete");
  print_missing(outcome.missing);
  return 0;
}

int report_command(const Arguments& args) {
  std::string run;
  Recipe recipe;
  CommandLine line(
      "report RUN",
      "Writes cases.csv, summary.json, report.html and the other tables of the "
      "cells that are\nthere, and lists those that are missing. Of a finished "
      "run it writes the same bytes again.");
  line.argument("RUN", &run, "folder of the run");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  load_run_config(line, run, recipe);
  use_worker_device(recipe.place.device);
  const StopSignal stop;
  std::vector<std::string> missing;
  const RunOutcome outcome =
      JoinedRun(recipe, line.config(), run, stop).report(missing);
  std::printf("\n%s\n", outcome.table.c_str());
  print_missing(missing);
  std::printf("report: %s\n",
              std::filesystem::absolute(outcome.report).c_str());
  return 0;
}

}  // namespace sono
