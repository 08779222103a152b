#pragma once
// What the arms train on.

#include "experiments/arm_images.h"
#include "experiments/run_context.h"
#include "experiments/synthetic_dataset.h"

namespace sono {

// The images of one run: phantoms, accepted pairs or coarse real heads stand in
// as synthetic.
ArmImages arm_images(const RunContext& context, const Study& study,
                     const ArmRun& run, const Datasets& datasets);

// Names where the synthetic images of a run come from.
nlohmann::json synthetic_inputs(const RunContext& context, const Study& study,
                                const ArmRun& run, const Datasets& datasets);

}  // namespace sono
