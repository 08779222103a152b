#pragma once
// One side of a comparison of training steps, named as on the command line.

#include <memory>
#include <string>

#include "tests/bench/stepper.h"

namespace sono::bench {

// Steps before the first that counts: DDP makes its final buckets after one.
inline constexpr int kWarmUp = 2;

struct Side {
  std::string name;  // SIDE/LANES
  std::unique_ptr<Workload> workload;
  std::int64_t parameters;  // elements
  std::unique_ptr<Stepper> stepper;
};

// `name`: SIDE/LANES, where SIDE is exact, recorded (exact with the flight
// recorder) or fast (all ours), or c10d (C++
// DDP's reducer) and LANES the micro-batches of the global batch. ConfigError
// for another side, or fewer lanes than ranks. All ranks must call.
Side make_side(Communicator& comm, const std::string& workload,
               const std::string& name);

}  // namespace sono::bench
