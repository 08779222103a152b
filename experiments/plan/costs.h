#pragma once
// How long one unit of each kind of work takes on this machine, by doing one
// for real: the same network, batch and code, with phantoms as images. Only for
// a published model it is counted: operations of Stable Diffusion 1.5, by the
// speed of one of its convolutions here.

#include <optional>

#include "dist/communicator.h"
#include "experiments/plan/plan.h"
#include "trainer/step_cost.h"

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
  // What the lanes come from, for forecasts; none of a published model.
  std::optional<StepCost> pretrain, adapt, tune;
};

// Each unit twice or more, the first does not count: some seconds in all. What
// needs the segmenter is left at 0 when its weights are missing. All ranks of
// `comm` must call, and work at the same time.
UnitCosts measure_costs(const Recipe& recipe, const Plan& plan,
                        Communicator& comm, const StepProbe& probe);

// The training of a stage with the recipe's [dist]; kPretrain, kAdapt or kTune.
TrainConfig training_of(const Recipe& recipe, Work work);

// Seconds that a stage takes on so many ranks of this kind, each with cores of
// its own; the encoder is counted as if no image had been encoded yet.
double stage_seconds(const Recipe& recipe, const PlannedStage& stage,
                     const UnitCosts& costs, int ranks);

}  // namespace sono
