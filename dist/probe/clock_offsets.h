#pragma once
// How far the ranks' clocks are apart, by round trips of messages.

#include <vector>

#include "dist/communicator.h"

namespace sono {

struct ClockOffset {
  double seconds = 0;  // how far a rank's clock is ahead of rank 0's
  double within = 0;   // half of the shortest round trip: the error at most
};

// Cristian's method: the shortest of several round trips between rank 0 and
// each rank. By rank, the same on all. All ranks must call.
std::vector<ClockOffset> clock_offsets(Communicator& comm);

}  // namespace sono
