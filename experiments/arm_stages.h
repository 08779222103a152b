#pragma once
// What the arms train on: the stages behind their synthetic images, and the
// images themselves.

#include <map>
#include <vector>

#include "experiments/arm_images.h"
#include "experiments/run_context.h"

namespace sono {

// Stages that made synthetic data sets, by label of generator_run.
using Datasets = std::map<std::string, StageResult>;

// Pretrains, adapts and samples the generators of all diffusion runs. All ranks
// must call.
Datasets make_datasets(const RunContext& context, const Study& study,
                       const std::vector<ArmRun>& runs);

// The images of one run: phantoms, accepted pairs or coarse real heads stand in
// as synthetic.
ArmImages arm_images(const RunContext& context, const Study& study,
                     const ArmRun& run, const Datasets& datasets);

// Names where the synthetic images of a run come from.
nlohmann::json synthetic_inputs(const RunContext& context, const Study& study,
                                const ArmRun& run, const Datasets& datasets);

}  // namespace sono
