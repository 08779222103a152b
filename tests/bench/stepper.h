#pragma once
// One training step: gradients of the rank's micro-batches, their reduction,
// clipping by global norm and AdamW. Ours and the peer's stand behind it.

#include <memory>
#include <string>

#include "dist/communicator.h"
#include "tests/bench/workloads.h"

namespace sono::bench {

class Stepper {
 public:
  virtual ~Stepper() = default;
  // All ranks must call.
  virtual void step() = 0;
  // The loss over the global batch of the last step. All ranks must call.
  virtual double loss() = 0;
};

// Every side cuts the global batch into `lanes` micro-batches; a rank runs its
// neighbouring ones. The workload's parameters must be used by one stepper
// alone; it and the communicator must outlive the stepper.
struct StepperOptions {
  int lanes = 4;
  bool exact = true;      // ours: the tree of lanes, otherwise rank by rank
  int zero_stage = 1;     // ours; 1 is what recipes have by default
  bool recorded = false;  // ours: with the flight recorder
  double learning_rate = 1e-4;
  double weight_decay = 0.01;
  double clip_norm = 1.0;
};

// The trainer's step with its reducer.
std::unique_ptr<Stepper> make_our_stepper(Communicator& comm,
                                          Workload& workload,
                                          const StepperOptions& options);

// DistributedDataParallel's, in C++: c10d::Reducer with gradients as views of
// its buckets over ProcessGroupGloo, micro-batches but the last without
// reduction, fused AdamW. All ranks must call.
std::unique_ptr<Stepper> make_ddp_stepper(Communicator& comm,
                                          Workload& workload,
                                          const StepperOptions& options);

}  // namespace sono::bench
