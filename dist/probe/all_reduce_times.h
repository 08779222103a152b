#pragma once
// How long an all-reduce takes, by size, with the bandwidths that nccl-tests
// defines for it (doc/PERFORMANCE.md there).

#include <cstdint>
#include <vector>

#include "dist/communicator.h"

namespace sono {

struct AllReduceTime {
  int ranks = 1;
  std::int64_t bytes = 0;  // of the tensor on each rank
  double seconds = 0;      // of one call
  bool correct = true;     // every element of the sum was the right integer
};

// algbw = S / t, bytes a second.
double algorithm_bandwidth(const AllReduceTime& time);
// busbw = algbw * 2 (n - 1) / n: what each link carried, whatever n is.
double bus_bandwidth(const AllReduceTime& time);

// All-reduces fp32 tensors of each size (multiples of 4 bytes) for about
// `seconds_each`, and checks the sums. Medians, equal on all ranks. All ranks
// must call.
std::vector<AllReduceTime> time_all_reduce(
    Communicator& comm, const std::vector<std::int64_t>& sizes,
    double seconds_each);

}  // namespace sono
