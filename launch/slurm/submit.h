#pragma once
// Writes a run's batch scripts and hands them to sbatch, each behind those it
// needs.

#include "core/option.h"
#include "launch/slurm/batch_script.h"
#include "launch/slurm/submission_record.h"

namespace sono {

struct Script {
  Job job;
  std::filesystem::path file;
  std::string text;
};

// The scripts of a run, in order; nothing is written yet. ConfigError as in
// batch_script.h.
std::vector<Script> make_scripts(const Recipe& recipe,
                                 const Submission& submission);

// RUN/slurm: the recipe with all its options, job.sh and the scripts.
// ConfigError where an option's value cannot stand in an INI file.
void write_scripts(const OptionTable& recipe, const std::filesystem::path& run,
                   const std::vector<Script>& scripts);

// ConfigError, with their ids, while jobs of an earlier submission wait or run:
// they do the same work, and read what would be written. CommError where Slurm
// does not tell.
void refuse_running(const std::filesystem::path& run);

// Submits all, each behind those it depends on, and records each as soon as it
// has an id. When sbatch refuses one, those before it are cancelled.
std::vector<SubmittedJob> submit_scripts(const std::filesystem::path& run,
                                         const std::vector<Script>& scripts);

}  // namespace sono
