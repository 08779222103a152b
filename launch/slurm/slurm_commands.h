#pragma once
// Slurm's own programs, called with their arguments as they are: no shell is
// in between.

#include <string>
#include <vector>

namespace sono {

struct ProcessOutput {
  int exit_code = -1;  // 128 + signal; 127: there is no such program
  std::string out;     // standard output
  std::string error;   // standard error
};

// Runs words[0], found along PATH, to its end.
ProcessOutput run_process(const std::vector<std::string>& words);

// The words before a program that make ranks of it.
struct Launcher {
  std::vector<std::string> words;
  std::string reason;  // how it was chosen, for people
};

// `wanted`: auto, srun or mpirun. With auto: srun where `srun --mpi=list` names
// pmix, mpirun where it does not, and srun where there is no Slurm to ask.
Launcher choose_launcher(const std::string& wanted, int cpus_per_rank);

// The same with what `srun --mpi=list` said in its place.
Launcher choose_launcher(const std::string& wanted, int cpus_per_rank,
                         const ProcessOutput& listed);

// One line of the queue.
struct QueuedJob {
  std::string id;      // "12", "12_3", "12_[4-7]"
  std::string job;     // "12": the array's, for elements
  std::string state;   // "RUNNING"
  std::string reason;  // why it waits, or its nodes
  std::string time;    // used so far
  std::string limit;
};

// Those of these jobs that wait or run. CommError, with what squeue said, where
// it cannot tell.
std::vector<QueuedJob> queued_jobs(const std::vector<std::string>& ids);

// Submits a script behind other jobs ("afterok:12"); its id. ConfigError
// with what sbatch said.
std::string submit_script(const std::string& script,
                          const std::string& dependencies);

}  // namespace sono
