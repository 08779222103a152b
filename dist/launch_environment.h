#pragma once
// What the launcher's environment variables say of this process.

#include <functional>
#include <optional>
#include <string>

namespace sono {

enum class LaunchKind {
  kAlone,  // started by hand: one rank, or threads as ranks
  kMpi,    // started by mpirun or srun: one rank a process
};

// The value of an environment variable, if set.
using Environment =
    std::function<std::optional<std::string>(const std::string&)>;
Environment process_environment();

// How the process was started. ConfigError, with the remedy, when Slurm
// started several tasks without an MPI that could join them.
LaunchKind detect_launch(const Environment& environment);
// ConfigError when Slurm started several tasks and MPI sees only one process.
void check_world(const Environment& environment, int mpi_world_size);

// A rank's place, known before MPI starts.
struct LaunchPlace {
  int rank = 0;
  int world_size = 0;   // 0: not told
  int local_rank = -1;  // -1: not told
  std::string job;      // the same for all ranks of one job and no other
};
LaunchPlace launch_place(const Environment& environment);

}  // namespace sono
