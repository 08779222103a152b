#pragma once
// Results as nnU-Net v2 writes them: one summary.json a test cohort, candidate
// and prompt, so that its scripts read them.

#include <map>
#include <span>
#include <string>

#include "experiments/report/cases.h"

namespace sono {

// Text by path "COHORT/CANDIDATE/PROMPT/summary.json", where CANDIDATE is an
// arm with its number of real images and seed (and training cohort, where
// there are several). Draws are cases of their own. Each has metric_per_case,
// mean and foreground_mean; label "1" is the foreground. Dice and IoU have
// nnU-Net's names; HD95, ASSD (px) and their mm are added; TP, FP, FN, TN,
// n_pred and n_ref, which cases do not hold, are left out.
std::map<std::string, std::string> nnunet_summaries(
    std::span<const Case> cases);

}  // namespace sono
