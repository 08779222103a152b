#include "experiments/report/summary.h"

#include <algorithm>
#include <iterator>

#include "experiments/report/agreement.h"
#include "experiments/report/cells.h"
#include "experiments/report/comparisons.h"

namespace sono {
namespace {

using nlohmann::json;

json describe_cell(const CellKey& key, const Cell& cell,
                   const IntervalOptions& options) {
  json result = to_json(key);
  result["n_cases"] = cell.num_cases;
  result["n_images"] = cell.num_images;
  result["failures"] = cell.num_failures;
  result["metrics"] = json::object();
  int num_exams = 0, num_seeds = 0;
  for (const auto& [name, observations] : cell.metrics) {
    const Estimate estimate = estimate_mean(observations, options);
    result["metrics"][name] = to_json(estimate);
    num_exams = std::max(num_exams, estimate.num_clusters);
    num_seeds = std::max(num_seeds, estimate.num_seeds);
  }
  result["n_exams"] = num_exams;
  result["n_seeds"] = num_seeds;
  return result;
}

// Whether a row of the agreement is drawn: the circumference of the arms that
// the endpoint compares.
bool is_drawn(const json& row, const SummaryOptions& options) {
  return row["measure"] == "hc" && row["unit"] == "mm" &&
         row["stratum"] == "" && row["cohort"] == options.endpoint_cohort &&
         row["prompt"] == options.endpoint_prompt &&
         row["n_real"] == options.endpoint_n_real &&
         (row["arm"] == options.endpoint_treatment ||
          row["arm"] == options.endpoint_control);
}

json describe_agreement(std::span<const Case> cases,
                        const SummaryOptions& options) {
  json rows = summarize_agreement(cases, options.interval);
  for (json& row : rows) {
    if (!is_drawn(row, options)) continue;
    std::vector<Case> inside;
    std::ranges::copy_if(cases, std::back_inserter(inside), [&](const Case& c) {
      return row["arm"] == c.arm && row["cohort"] == c.cohort &&
             row["prompt"] == c.prompt &&
             row["n_real"] == c.n_real.value_or(-1) &&
             row["train_cohort"] == c.train_cohort;
    });
    row["points"] = agreement_points(inside);
  }
  return rows;
}

}  // namespace

json summarize(std::span<const Case> cases, const SummaryOptions& options) {
  const Cells cells = collect_cells(cases);
  const json named = compare_named(cells, options);
  json described = json::array();
  for (const auto& [key, cell] : cells) {
    described.push_back(describe_cell(key, cell, options.interval));
  }
  return {{"cells", std::move(described)},
          {"endpoint", named.front()},
          {"named", named},
          {"comparisons", explore(cells, options)},
          {"agreement", describe_agreement(cases, options)},
          {"floor", summarize_floor(cases, options.interval)},
          {"confidence", options.interval.confidence}};
}

std::string format_summary(const json& summary) {
  return summary.dump(2) + "\n";
}

}  // namespace sono
