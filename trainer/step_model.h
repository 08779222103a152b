#pragma once
// How long a step takes on so many ranks, from the costs of its parts and the
// measured links (docs/doctor.md has the formulas).

#include <cstdint>
#include <string>
#include <vector>

#include "dist/probe/link_model.h"
#include "trainer/step_cost.h"
#include "trainer/train_config.h"

namespace sono {

// Ranks fill hosts in order.
struct StepWorld {
  int ranks = 1;
  int ranks_a_host = 1;
  double cores = 1;  // of a host
};

struct StepForecast {
  int ranks = 1;
  double compute = 0;        // seconds, as all below
  double communication = 0;  // exchanges of gradients and parameters
  double hidden = 0;         // of it, behind backward
  double update = 0;
  std::int64_t memory_bytes = 0;  // resident, a rank, at most

  double seconds() const { return compute + communication - hidden + update; }
  // "0.512 s (compute 0.480, communication 0.030, of it hidden 0.010, ...)".
  std::string text() const;
};

// `links` may be empty for one rank, or else communication counts nothing.
StepForecast forecast_step(const StepCost& cost, const TrainConfig& config,
                           const std::vector<LinkModel>& links,
                           const StepWorld& world);

}  // namespace sono
