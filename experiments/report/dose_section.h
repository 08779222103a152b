#pragma once
// Dice by the number of real and of synthetic training images.

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "experiments/report/cases.h"
#include "experiments/statistics/estimate.h"

namespace sono {

// [{cohort, prompt, train_cohort, arm, n_real, n_synthetic, dice: ESTIMATE}],
// see summary.h. `dose`: cases of runs with fewer synthetic images, by the
// number that they had (a pool may hold fewer than asked for); from `cases`
// come the same arms with their whole pools, whose n_synthetic is null since
// the gate accepts another number for each seed, and arm `none` as 0.
nlohmann::json summarize_dose(std::span<const Case> cases,
                              std::span<const Case> dose,
                              const IntervalOptions& options);

// A table for each arm and cohort under the endpoint's prompt: rows numbers of
// real, columns of synthetic images; "" without the summary's "dose".
std::string render_dose(const nlohmann::json& summary);

}  // namespace sono
