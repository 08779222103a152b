#pragma once
// The stage that looks at the synthetic images of a run as images: how far they
// are from real heads in two feature spaces, and whether they are copies.

#include <map>
#include <string>
#include <vector>

#include "experiments/segmentation_stages.h"

namespace sono {

// Accepted pairs of each diffusion run, and the phantoms of arm phantom, beside
// the held-out heads of the (first) training cohort; experiment.quality_images
// of each at most. All go through the generator's size. Outputs: {label:
// {"spaces", "copies", "accepted", "count"}}; quality.json in the stage's
// folder says more of each image. Outputs are null when quality_images is 0.
// All ranks must call.
StageResult judge_quality(const RunContext& context, const Study& study,
                          const std::vector<ArmRun>& runs,
                          const std::map<std::string, StageResult>& datasets,
                          SharedSegmenter& shared);

}  // namespace sono
