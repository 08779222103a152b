#pragma once
// How measurements in millimetres agree with their reference: what summary.json
// holds under "agreement".

#include <nlohmann/json.hpp>
#include <span>

#include "experiments/report/cases.h"
#include "experiments/statistics/estimate.h"

namespace sono {

// [{cohort, prompt, train_cohort, arm, n_real,
//   measure: "hc", "bpd" or "ofd", unit: "mm", or "%" of the reference (hc
//   alone), stratum: "" (all) or one of the cohort's, hc in mm alone,
//   n, n_exams, failures, sd, bias: LINE, lower: LINE, upper: LINE,
//   measured: null, or {n, sd, bias, lower, upper} without the failures}]
// LINE: {value, low, high}, the last two null where there is no interval. A
// failure is a prediction without ellipse, which measures 0 mm. Cells without
// pixel size have no rows.
nlohmann::json summarize_agreement(std::span<const Case> cases,
                                   const IntervalOptions& options);

// The reference's own floor, by cohort: {cohort: {n, n_exams, sd, bias, lower,
// upper}} of the ellipse of the reference mask against the csv's circumference,
// in percent; cohorts whose csv has none are left out.
nlohmann::json summarize_floor(std::span<const Case> cases,
                               const IntervalOptions& options);

// The dots of a Bland-Altman chart: [[mean of both in mm, difference in mm,
// whether it failed]] of the circumference, for the cases of one cell: one an
// image, of the first seed, its draws averaged. Averages over seeds would
// scatter less than the single measurements that the limits speak of.
nlohmann::json agreement_points(std::span<const Case> cases);

}  // namespace sono
