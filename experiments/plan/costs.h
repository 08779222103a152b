#pragma once
// How long one unit of each kind of work takes on this machine, by doing one
// for real: the same network, batch and code, with phantoms as images. Only for
// a published model it is counted: operations of Stable Diffusion 1.5, by the
// speed of one of its convolutions here.

#include <cstdint>

#include "experiments/plan/plan.h"

namespace sono {

// Seconds on one rank; 0 where the plan has no such work. Training counts one
// lane, since lanes are what ranks share.
struct UnitCosts {
  double phantom = 0;        // drawing one of a cohort
  double pretrain_lane = 0;  // forward and backward of one lane, its phantoms
  double adapt_lane = 0;
  double generate_image = 0;  // all its network calls
  double encode = 0;          // one image
  double tune_lane = 0;
  double predict = 0;  // one mask, and its scores
};

// Each unit twice, the second counts: some seconds in all. What needs the
// segmenter is left at 0 when its weights are missing.
UnitCosts measure_costs(const Recipe& recipe, const Plan& plan);

// Seconds that a stage takes on so many ranks of this kind, each with cores of
// its own; the encoder is counted as if no image had been encoded yet.
double stage_seconds(const Recipe& recipe, const PlannedStage& stage,
                     const UnitCosts& costs, int ranks);

// Bytes that a stage leaves on the disk, embeddings included.
struct DiskUse {
  std::int64_t embeddings = 0;
  std::int64_t checkpoints = 0;
  std::int64_t shards = 0;  // uncompressed: at most
};
DiskUse disk_use(const Recipe& recipe, const Plan& plan);

}  // namespace sono
