#pragma once
// The jobs of a run and the scripts that sbatch takes for them.

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/recipe.h"
#include "launch/slurm/site.h"

namespace sono {

// A job starts when those it depends on have ended: well, or at all.
struct Dependency {
  std::string job;
  bool must_succeed = true;
};

struct Job {
  std::string name;   // "1-generators"; of its script and its log
  std::string title;  // what it does, for people
  int nodes = 1;
  int workers = 0;  // an array of so many single ranks; 0: one MPI step
  std::vector<std::string> arguments;  // of sonoforge
  std::vector<Dependency> dependencies;
};

// What every script of a run is made from.
struct Submission {
  SiteConfig site;
  std::filesystem::path run;          // absolute
  std::filesystem::path submitted;    // folder that submit was called in
  std::filesystem::path program;      // sonoforge
  std::vector<std::string> launcher;  // words before the program in an MPI step
  int nodes = 1;
  int workers = 0;  // of each array; 0: as many as the ranks of training
};

// RUN/slurm: scripts, logs and what was submitted.
std::filesystem::path slurm_folder(const std::filesystem::path& run);
// In it: the recipe with every option.
std::filesystem::path submitted_recipe(const std::filesystem::path& run);

// The jobs that a recipe needs, in order: generators and data sets only where
// an arm has them.
std::vector<Job> make_chain(const Recipe& recipe, const Submission& submission);

// The whole text. ConfigError where something does not fit into an #SBATCH
// line; it names the option.
std::string batch_script(const Job& job, const Submission& submission);

// What all of them source: RUN/slurm/job.sh.
extern const char kJobText[];

}  // namespace sono
