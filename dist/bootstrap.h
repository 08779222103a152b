#pragma once
// How this process became a rank, and the world it is in.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dist/communicator.h"

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

struct SessionOptions {
  int local_ranks = 1;            // threads as ranks, when started alone
  double deadline_seconds = 600;  // without progress in one operation
};

// The world from start to end of the program; made and destroyed by main.
class Session {
 public:
  virtual ~Session() = default;
  // Of this process; 0 of n with threads as ranks.
  virtual int rank() const = 0;
  virtual int world_size() const = 0;

  // Runs `body` once on each rank of this process. An error that every rank
  // has is rethrown. When one rank alone fails, its error is logged and the
  // whole job ends with its exit code, since peers may wait for ever.
  virtual void run(const std::function<void(Communicator&)>& body) = 0;
};

// ConfigError when local ranks are asked for under mpirun or srun, and as
// above. All ranks must call.
std::unique_ptr<Session> make_session(const SessionOptions& options);

}  // namespace sono
