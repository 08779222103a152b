#pragma once
// How many cores the ranks of a host have, and how many they are.

#include <vector>

#include "dist/communicator.h"

namespace sono {

// Numbers of the processors that this thread may run on.
std::vector<int> allowed_cpus();
// Cores that the control group (version 2) grants; 0: no bound.
double cpu_quota();
// Cores, from the processors that any rank of the host may run on.
double usable_cores(const std::vector<int>& cpus, double quota);

struct HostShare {
  int ranks_here = 1;  // on this rank's host
  int most_ranks = 1;  // on the fullest host
  double cores = 1;    // of this rank's host, for its ranks together
};

// All ranks must call.
HostShare share_of_host(Communicator& comm);

}  // namespace sono
