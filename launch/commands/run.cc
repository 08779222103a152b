// `sonoforge run RECIPE.ini`: a whole recipe, resumable, on any number of
// ranks.

#include <cstdio>

#include "core/error.h"
#include "core/message.h"
#include "dist/bootstrap.h"
#include "dist/local/communicator.h"
#include "experiments/pipeline.h"
#include "experiments/plan/plan_text.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/options/device.h"
#include "launch/options/recipe_config.h"
#include "trainer/telemetry.h"

namespace sono {
namespace {

struct RunArguments {
  std::string recipe_file;
  std::string out;
  RunRequest request;
  SessionOptions session;
  double wall_minutes = 0;
  bool dry_run = false;
};

void print_outcome(const RunOutcome& outcome) {
  std::printf("\n%s\n", outcome.table.c_str());
  std::printf("stages: %d done, %d found finished\n", outcome.stages_done,
              outcome.stages_skipped);
  if (outcome.report.empty()) return;
  std::printf("report: %s\n",
              std::filesystem::absolute(outcome.report).c_str());
}

// Rank 0 prints; a few seconds, most of them for measuring.
void print_plan(const Recipe& recipe, const OptionTable& options,
                const std::filesystem::path& out, Communicator& comm,
                const StopSignal& stop) {
  Plan plan = make_plan(recipe);
  const auto found = find_finished(recipe, options, out, comm, stop);
  for (PlannedStage& stage : plan.stages) {
    stage.finished = found.count(stage.name) > 0;
  }
  if (comm.rank() != 0) return;
  const UnitCosts costs = measure_costs(recipe, plan, *make_single_rank(), {});
  std::fputs(plan_text({recipe, plan, costs, comm.world_size(), out}).c_str(),
             stdout);
}

}  // namespace

int run_command(const Arguments& args) {
  RunArguments arguments;
  Recipe recipe;
  CommandLine line(
      "run RECIPE.ini [--set section.key=value] [--out DIR]",
      "Runs a whole recipe: cohorts, generators, synthetic pairs, "
      "tuned segmenters,\nevaluation and report. Finished stages "
      "are skipped, so the same command goes on\nafter a stop or a "
      "crash, on any number of ranks, and ends with the same "
      "bytes.");
  line.argument("RECIPE.ini", &arguments.recipe_file, "the recipe");
  line.flag("out", &arguments.out, "DIR",
            "folder of the run (default runs/RECIPE)");
  line.flag("local-ranks", &arguments.session.local_ranks, "K",
            "threads as ranks, when not under mpirun or srun");
  line.flag("wall-minutes", &arguments.wall_minutes, "M",
            "save and exit with 75 after so long; 0: never");
  line.flag("update", &arguments.request.update, "",
            "take a folder made by another config and redo what changed");
  line.flag("trace-steps", &recipe.place.trace_steps, "FIRST-LAST",
            "trace these steps of every training, one file a rank: "
            "OUT/traces/");
  line.flag("until", &arguments.request.until, "PART",
            "end after generators, datasets, tuning or evaluation; the same "
            "command without it goes on");
  line.flag("dry-run", &arguments.dry_run, "",
            "print the plan with its cost, do nothing");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  load_recipe(line, arguments.recipe_file, recipe);
  check_range("--wall-minutes", arguments.wall_minutes, 0, 1e7);
  TraceSteps::parse(recipe.place.trace_steps);  // before all else
  arguments.request.out = run_folder(arguments.out, arguments.recipe_file);
  arguments.request.validate();

  arguments.session.device = recipe.place.device;
  arguments.session.deadlines = recipe.place.deadlines;
  arguments.session.recorder_folder = recipe.place.recorder;
  const auto session = make_session(arguments.session);
  configure_log(session->rank());
  use_device(session->device());
  const StopSignal stop(arguments.wall_minutes * 60);
  session->run([&](Communicator& comm) {
    if (arguments.dry_run) {
      print_plan(recipe, line.config(), arguments.request.out, comm, stop);
      return;
    }
    const RunOutcome outcome =
        run_recipe(recipe, line.config(), arguments.request, comm, stop);
    if (comm.rank() == 0) print_outcome(outcome);
  });
  return 0;
}

}  // namespace sono
