// `sonoforge status RUN`: how far a run and its jobs have come.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "core/error.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/options/ini_file.h"
#include "launch/slurm/batch_script.h"
#include "launch/status/status_text.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

// As the run has it, or as it was submitted.
Recipe recipe_of(const fs::path& run) {
  fs::path file = run / "config.ini";
  if (!fs::exists(file)) file = submitted_recipe(run);
  if (!fs::exists(file)) {
    throw ConfigError(run.string() +
                      ": no config.ini in it; name the folder of a run");
  }
  Recipe recipe;
  OptionTable options;
  describe(options, recipe);
  load_ini(file, options);
  recipe.validate();
  return recipe;
}

// Samples of a step, by the first word of its label.
double batch_size(const Recipe& recipe, const std::string& label) {
  if (label.starts_with("pretrain ")) return recipe.pretrain.batch_size;
  if (label.starts_with("adapt ")) return recipe.adapt.batch_size;
  return recipe.segment.batch_size;
}

void show(const RunStatus& status, bool again) {
  if (again && ::isatty(STDOUT_FILENO)) std::fputs("\033[H\033[J", stdout);
  std::fputs(status_text(status).c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

int status_command(const Arguments& args) {
  std::string run;
  bool watch = false, mark = false;
  double poll_seconds = 5;
  CommandLine line(
      "status [--watch] RUN",
      "Says which stages of a run are done and how far the others are, what "
      "became of its Slurm\njobs, how much of the training's time went into "
      "steps that count, and how much work is\nleft. Reads only; works beside "
      "the run, after it, and without Slurm.");
  line.argument("RUN", &run, "folder of the run");
  line.flag("watch", &watch, "", "again and again until everything is done");
  line.flag("poll", &poll_seconds, "SECONDS",
            "with --watch: pause between two looks");
  line.flag("mark", &mark, "",
            "only print one word that changes when work was done or saved; "
            "batch scripts compare it");
  if (!line.parse(args)) return 0;
  check_range("--poll", poll_seconds, 0.1, 86400);
  if (mark) {
    std::printf("%s\n", progress_mark(run).c_str());
    return 0;
  }
  const Recipe recipe = recipe_of(run);
  const Plan plan = make_plan(recipe);
  StepHistory history(
      fs::path(run) / "log.jsonl",
      [&](const std::string& label) { return batch_size(recipe, label); });
  for (bool again = false;; again = true) {
    history.update();
    RunStatus status;
    status.run = run;
    status.stages = look_at_stages(run, recipe, plan, history);
    status.jobs = look_at_jobs(run, status.queue_trouble);
    status.goodput = history.goodput();
    show(status, again || watch);
    if (!watch || status.finished()) return 0;
    std::this_thread::sleep_for(std::chrono::duration<double>(poll_seconds));
  }
}

}  // namespace sono
