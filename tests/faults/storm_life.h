#pragma once
// One start of the storm's training as a child of this process, to be killed.

#include <sys/types.h>

#include <filesystem>
#include <vector>

#include "core/random.h"

namespace sono {

struct LifePlan {
  bool processes;  // under mpirun, else threads of one process
  int ranks;
  int zero_stage;
};

// Started by the constructor, in `root`/run; its output goes to `root`/log.
class Life {
 public:
  Life(const LifePlan& plan, const std::filesystem::path& root);

  // Kills what still runs after `seconds`; false when it had ended by itself.
  bool kill_after(double seconds, Random& random);
  // Until every process is gone, two minutes at most; the exit code.
  int wait();
  int exit_code() const;

 private:
  [[noreturn]] void run_child();
  [[noreturn]] void run_processes();
  // Those of this life that still run.
  std::vector<pid_t> rank_processes() const;

  LifePlan plan_;
  std::filesystem::path root_;
  std::filesystem::path pids_;
  pid_t child_;
  int status_ = 0;
};

// What a rank's process runs under mpirun; true where this is one.
bool run_as_rank_of_a_life();

}  // namespace sono
