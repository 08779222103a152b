#pragma once
// summary.json: what cases.csv says, cell by cell, and the comparisons.

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "experiments/report/cases.h"
#include "experiments/statistics/estimate.h"

namespace sono {

// A comparison of the endpoint's arms, named beforehand beside it.
struct SecondaryEndpoint {
  std::string cohort;
  std::string prompt;
  std::string metric = "dice";  // of a cell, see cells.h
};

// The comparisons named before the experiment (docs/evaluation.md) and the arms
// that the exploratory ones cross.
struct SummaryOptions {
  std::string endpoint_treatment = "concat";
  std::string endpoint_control = "us-aug";
  std::string endpoint_cohort = "hc18";
  std::string endpoint_train_cohort{};  // empty: any
  std::string endpoint_prompt = "frame";
  std::int64_t endpoint_n_real = 5;
  std::vector<SecondaryEndpoint> secondary{};
  std::vector<std::string> treatments{"concat", "joint", "sdedit",
                                      "controlnet"};
  std::vector<std::string> controls{"us-aug", "phantom"};
  IntervalOptions interval;
};

// {"cells": [{cohort, prompt, train_cohort, arm, n_real, n_cases, n_images,
//             n_exams, n_seeds, failures,
//             metrics: {dice: ESTIMATE, ...}}],
//  "endpoint": COMPARISON, or {"status": "missing", "reason": ...},
//  "named": [the endpoint, then the secondary ones],
//  "comparisons": [COMPARISON],
//  "agreement", "floor": see agreement.h}
// ESTIMATE: {n, mean, sd, cluster_mean, seed_sd, interval: null or {low, high,
// method}}, Dice in 0..1, the unit else in the metric's name.
// COMPARISON: {role: "endpoint", "secondary" or "exploratory", metric,
// treatment, control, cohort, prompt, train_cohort, n_real, n_pairs,
// n_unpaired, n_exams, n_seeds, difference: ESTIMATE, verdict: "better",
// "worse", "no difference shown" or "no interval", tests: {permutation,
// wilcoxon, t: {p, statistic, method}}, p (of the permutation test), p_holm (of
// named ones), status: "done"}. Tests are of the clusters' mean differences. A
// named comparison that could not be made counts in Holm's family as p = 1.
// Independent of the order of the cases.
nlohmann::json summarize(std::span<const Case> cases,
                         const SummaryOptions& options = {});

// The file's bytes: keys sorted, numbers in the shortest form that reads back.
std::string format_summary(const nlohmann::json& summary);

}  // namespace sono
