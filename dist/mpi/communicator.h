#pragma once
// Ranks as processes started by mpirun or srun; CPU tensors.
//
// Every wait polls: spinning first, then with short sleeps so that ranks that
// share a core leave it to each other. A wait without any progress for longer
// than the deadline is a CommError that names the operation and the peers. With
// a recorder the deadline is its phase's, and the rank's watchdog speaks first.

#include <memory>
#include <string>

#include "dist/communicator.h"

namespace sono {

// MPI from MPI_Init to MPI_Finalize; at most one a process, made and destroyed
// on the main thread.
class MpiSession {
 public:
  MpiSession();
  // Finalizes. While an exception unwinds, finalizing could wait for ever for a
  // rank that is stuck, so the job is aborted unless all ranks arrive here.
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }

  // True when all ranks call this within `seconds`.
  bool all_arrive(double seconds);
  // Ends every process of the job; mpirun returns `exit_code`.
  [[noreturn]] void abort(int exit_code);

 private:
  int rank_ = 0;
  int world_size_ = 1;
};

// "Open MPI 4.1.4": as compiled against, and as found when the program runs.
// May be asked without a session.
struct MpiVersions {
  std::string built, running;
};
MpiVersions mpi_versions();

// The session must outlive the communicator. All ranks must call.
std::unique_ptr<Communicator> make_mpi_communicator(
    const MpiSession& session, double deadline_seconds = 600);

}  // namespace sono
