#pragma once
// How Dice under gt-box falls when the boxes get looser.

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "experiments/report/cases.h"
#include "experiments/statistics/estimate.h"

namespace sono {

// [{cohort, train_cohort, arm, n_real, jitter_px, dice: ESTIMATE}], see
// summary.h; one entry a cell and jitter of the cases.
nlohmann::json summarize_jitter(std::span<const Case> cases,
                                const IntervalOptions& options);

// A chart and a table for each cohort from the summary's "jitter", at the
// endpoint's number of real images; "" without.
std::string render_jitter(const nlohmann::json& summary);

}  // namespace sono
