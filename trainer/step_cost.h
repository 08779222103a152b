#pragma once
// What one step of a training is made of, each part measured by doing it.

#include <cstdint>

#include "dist/communicator.h"
#include "dist/layout.h"
#include "dist/parameter_units.h"
#include "trainer/task.h"
#include "trainer/train_config.h"

namespace sono {

// Seconds of work on a core as busy as it was while measuring: ranks that share
// a core have their share taken out again.
struct StepCost {
  Layout layout;        // of the trainable parameters
  EntryRanges blocks;   // see predict_memory
  double sample = 0;    // forward and backward, a sample of a lane
  double backward = 0;  // share of that which is backward
  double update = 0;    // norm and optimiser, an element
  double merge = 0;     // adding two gradient buffers, an element
  std::int64_t activation_bytes = 0;  // of one lane, at most; 0: not known
  std::int64_t base_bytes = 0;        // resident before the training
};

struct StepProbe {
  int repeats = 3;     // medians over so many
  double cores = 1;    // of this host
  int ranks_here = 1;  // on this host; with as many threads or processes
};

// Runs lanes of the task's first step, all ranks at once, and an optimiser like
// the training's on numbers of its own. Parameters stay as they are; they have
// no gradients afterwards. To be called before an arena takes them over. The
// same on all ranks; all must call.
StepCost measure_step(Communicator& comm, Task& task, const TrainConfig& config,
                      const StepProbe& probe);

// Samples of the largest lane of a batch.
std::int64_t largest_lane(const TrainConfig& config);

}  // namespace sono
