// `sonoforge submit RECIPE.ini`: the recipe as a chain of Slurm jobs.

#include "launch/slurm/submit.h"

#include <cstdio>

#include "core/atomic_file.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/options/ini_file.h"
#include "launch/options/recipe_config.h"
#include "launch/slurm/slurm_commands.h"

namespace sono {
namespace {

namespace fs = std::filesystem;

struct SubmitArguments {
  std::string recipe_file, out, site_file, time;
  int nodes = 1;
  int workers = 0;
  bool dry_run = false;
};

SiteConfig read_site(const SubmitArguments& arguments) {
  SiteConfig site;
  OptionTable options;
  describe(options, site);
  const fs::path file = find_site_file(arguments.site_file);
  if (!file.empty()) {
    load_ini(file, options);
    std::printf("site: %s\n", file.c_str());
  }
  if (!arguments.time.empty()) site.time = arguments.time;
  site.validate();
  return site;
}

Submission make_submission(const SubmitArguments& arguments) {
  Submission submission;
  submission.site = read_site(arguments);
  submission.run =
      fs::absolute(run_folder(arguments.out, arguments.recipe_file))
          .lexically_normal();
  submission.submitted = fs::current_path();
  submission.program = fs::read_symlink("/proc/self/exe");
  submission.nodes = arguments.nodes;
  submission.workers = arguments.workers;
  const Launcher launcher =
      choose_launcher(submission.site.launcher, submission.site.cpus_per_rank);
  submission.launcher = launcher.words;
  std::printf("ranks: %d on %d nodes by %s (%s)\n",
              arguments.nodes * submission.site.ranks(), arguments.nodes,
              launcher.words[0] == "srun" ? "srun --mpi=pmix" : "mpirun",
              launcher.reason.c_str());
  return submission;
}

void print_job(const Script& script, const std::string& id) {
  std::printf("%-14s %-10s %s\n", script.job.name.c_str(), id.c_str(),
              script.file.c_str());
}

}  // namespace

int submit_command(const Arguments& args) {
  SubmitArguments arguments;
  Recipe recipe;
  SiteConfig site;
  OptionTable site_options;
  describe(site_options, site);
  CommandLine line(
      "submit RECIPE.ini --nodes N [--site FILE] [--dry-run] [--out DIR]",
      "Writes the recipe's jobs as batch scripts into RUN/slurm and submits "
      "them to Slurm as a\nchain: generators, data sets, tuning, evaluation, "
      "report. A job that is stopped, or loses\na node, is requeued and goes "
      "on. While its jobs are in the queue a run is not submitted\nagain; "
      "afterwards it may be, and goes on too. What the cluster wants stands in "
      "the site\nfile: --site, else $SONO_SITE, else "
      "~/.config/sonoforge/site.ini. Its options:\n\n" +
          site_options.help());
  line.argument("RECIPE.ini", &arguments.recipe_file, "the recipe");
  line.flag("nodes", &arguments.nodes, "N", "nodes of the training steps");
  line.flag("workers", &arguments.workers, "W",
            "workers that make images, and that score; 0: as many as ranks");
  line.flag("time", &arguments.time, "T",
            "time limit of one start of a job, in place of site.time");
  line.flag("site", &arguments.site_file, "FILE", "the site file");
  line.flag("out", &arguments.out, "DIR",
            "folder of the run (default runs/RECIPE), seen by all nodes");
  line.flag("dry-run", &arguments.dry_run, "", "write, but do not submit");
  describe(line.config(), recipe);
  if (!line.parse(args)) return 0;
  load_recipe(line, arguments.recipe_file, recipe);
  check_range("--nodes", arguments.nodes, 1, 100000);
  check_range("--workers", arguments.workers, 0, 100000);
  const Submission submission = make_submission(arguments);
  recipe.check_sources();
  recipe.check_lanes(submission.nodes * submission.site.ranks());

  const auto scripts = make_scripts(recipe, submission);
  make_directories(slurm_folder(submission.run));
  const SubmissionLock lock(submission.run);
  refuse_running(submission.run);
  write_scripts(line.config(), submission.run, scripts);
  if (arguments.dry_run) {
    for (const Script& script : scripts) print_job(script, "-");
    std::printf("nothing was submitted (--dry-run)\n");
    return 0;
  }
  const auto jobs = submit_scripts(submission.run, scripts);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    print_job(scripts[i], jobs[i].id);
  }
  std::printf("look with: sonoforge status %s\n", submission.run.c_str());
  return 0;
}

}  // namespace sono
