#pragma once
// The one small message that every rank sends every other at the end of a
// step: its lanes' scalars, its report, and which gradients arrived.

#include <cstdint>
#include <vector>

#include "dist/communicator.h"
#include "dist/layout.h"
#include "dist/reducer/gradient_reducer.h"
#include "dist/reducer/lane_split.h"

namespace sono {

struct StepStatus {
  RankReport report;
  // num_scalars values for each lane of this rank, lanes ascending.
  std::vector<double> lane_scalars;
  std::vector<std::uint8_t> arrived;  // a flag a layout entry
};

// Error naming the first entry that arrived nowhere. All ranks must call.
StepSums exchange_status(Communicator& comm, const Layout& layout,
                         const LaneSplit& split, int num_scalars,
                         const StepStatus& mine);

}  // namespace sono
