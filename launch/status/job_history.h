#pragma once
// What became of the jobs that were submitted for a run.

#include <filesystem>
#include <string>
#include <vector>

#include "launch/slurm/slurm_commands.h"
#include "launch/slurm/submission_record.h"

namespace sono {

// Of one job or all elements of one array.
struct JobHistory {
  SubmittedJob job;
  std::vector<QueuedJob> queued;    // what waits or runs of it
  int started = 0;                  // elements that have started
  int done = 0;                     // elements that ended well
  std::vector<std::string> failed;  // "1-generators ended with code 3"
  int restarts = 0;                 // starts after each element's first
};

// One line for people: "running, 12:03 of 12:00:00, on node[1-2]".
std::string state_text(const JobHistory& history);

// From the queue, and from what the jobs themselves have left in RUN/slurm.
// Error where Slurm cannot be asked: `queue_trouble` says why, and the rest
// stands without it.
std::vector<JobHistory> look_at_jobs(const std::filesystem::path& run,
                                     std::string& queue_trouble);

}  // namespace sono
