#pragma once
// The worlds a test of ranks runs in: threads, and the processes of mpirun.

#include <cstdlib>
#include <functional>
#include <vector>

#include "dist/communicator.h"
#include "dist/local/communicator.h"
#include "dist/mpi/communicator.h"

namespace sono {

// True when the test program was started by mpirun.
inline bool under_mpi() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
}

// The numbers of ranks to run a test with: those given, or under mpirun, where
// run_world takes no notice of them, the first alone.
inline std::vector<int> rank_counts(std::vector<int> counts) {
  if (under_mpi()) counts.resize(1);
  return counts;
}

// The one MPI session of the program; made on first use.
inline MpiSession& mpi_session() {
  static MpiSession session;
  return session;
}

// Runs `body` on each rank: in every process under mpirun, otherwise on
// `local_ranks` threads.
inline void run_world(int local_ranks,
                      const std::function<void(Communicator&)>& body) {
  if (under_mpi()) {
    const auto comm = make_mpi_communicator(mpi_session(), 60);
    body(*comm);
  } else {
    run_local_ranks(local_ranks, body, 60);
  }
}

}  // namespace sono
