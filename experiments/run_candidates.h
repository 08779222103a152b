#pragma once
// What a run evaluates: its tuned segmenters, the published one and the blind
// baselines.

#include <string>
#include <vector>

#include "experiments/arm_stages.h"
#include "experiments/evaluation/candidate.h"
#include "experiments/segmentation_stages.h"

namespace sono {

struct RunCandidates {
  std::vector<Candidate> ready;
  // What stages that are only looked for do not give yet: labels of runs,
  // "detector of LABEL". Empty after a run.
  std::vector<std::string> missing;
};

// Tunes what is not tuned yet; where stages are only looked for, says what is
// missing. All ranks must call.
RunCandidates make_candidates(const RunContext& context, const Study& study,
                              SharedSegmenter& shared,
                              const std::vector<ArmRun>& runs,
                              const Datasets& datasets);

}  // namespace sono
