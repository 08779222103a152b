#include "experiments/report/summary.h"

#include <algorithm>
#include <set>

#include "experiments/report/cells.h"
#include "experiments/statistics/paired.h"

namespace sono {
namespace {

using nlohmann::json;

using Cells = std::map<CellKey, Cell>;

json to_json(const Estimate& estimate) {
  json interval = nullptr;
  if (estimate.interval) {
    interval = {{"low", estimate.interval->low},
                {"high", estimate.interval->high},
                {"method", estimate.interval->method}};
  }
  return {{"n", estimate.num_observations},
          {"mean", estimate.mean},
          {"sd", estimate.sd},
          {"cluster_mean", estimate.cluster_mean},
          {"seed_sd", estimate.seed_sd},
          {"interval", interval}};
}

json to_json(const CellKey& key) {
  json n_real = nullptr;
  if (key.n_real) n_real = *key.n_real;
  return {{"cohort", key.cohort},
          {"prompt", key.prompt},
          {"train_cohort", key.train_cohort},
          {"arm", key.arm},
          {"n_real", n_real}};
}

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

std::string verdict_of(const Estimate& difference) {
  if (!difference.interval) return "no interval";
  if (difference.interval->low > 0) return "better";
  if (difference.interval->high < 0) return "worse";
  return "no difference shown";
}

// Dice of one cell; empty when the cell is not there.
std::vector<Observation> dice_of(const Cells& cells, const CellKey& key) {
  const auto cell = cells.find(key);
  if (cell == cells.end()) return {};
  const auto dice = cell->second.metrics.find("dice");
  return dice == cell->second.metrics.end() ? std::vector<Observation>{}
                                            : dice->second;
}

// `key` names the treatment's cell; null when the two arms share no image.
json compare(const Cells& cells, const CellKey& key, const std::string& control,
             const std::string& role, const IntervalOptions& options) {
  CellKey control_key = key;
  control_key.arm = control;
  const PairedObservations pairs =
      pair_observations(dice_of(cells, key), dice_of(cells, control_key));
  if (pairs.differences.empty()) return nullptr;
  const Estimate difference = estimate_mean(pairs.differences, options);
  json result = to_json(key);
  result.erase("arm");
  result["role"] = role;
  result["metric"] = "dice";
  result["treatment"] = key.arm;
  result["control"] = control;
  result["n_pairs"] = difference.num_observations;
  result["n_unpaired"] = pairs.num_unpaired;
  result["n_exams"] = difference.num_clusters;
  result["n_seeds"] = difference.num_seeds;
  result["difference"] = to_json(difference);
  result["verdict"] = verdict_of(difference);
  result["status"] = "done";
  return result;
}

bool is_endpoint(const CellKey& key, const SummaryOptions& options) {
  return key.arm == options.endpoint_treatment &&
         key.cohort == options.endpoint_cohort &&
         (options.endpoint_train_cohort.empty() ||
          key.train_cohort == options.endpoint_train_cohort) &&
         key.prompt == options.endpoint_prompt &&
         key.n_real == options.endpoint_n_real;
}

json missing_endpoint(const SummaryOptions& options) {
  return {
      {"role", "endpoint"},
      {"status", "missing"},
      {"reason", "no image was scored by both " + options.endpoint_treatment +
                     " and " + options.endpoint_control +
                     " at N = " + std::to_string(options.endpoint_n_real) +
                     ", cohort " + options.endpoint_cohort + ", prompt " +
                     options.endpoint_prompt}};
}

json find_endpoint(const Cells& cells, const SummaryOptions& options) {
  for (const auto& [key, cell] : cells) {
    if (!is_endpoint(key, options)) continue;
    const json found = compare(cells, key, options.endpoint_control, "endpoint",
                               options.interval);
    if (!found.is_null()) return found;
  }
  return missing_endpoint(options);
}

json explore(const Cells& cells, const SummaryOptions& options) {
  json found = json::array();
  for (const auto& [key, cell] : cells) {
    if (std::ranges::find(options.treatments, key.arm) ==
        options.treatments.end()) {
      continue;
    }
    for (const std::string& control : options.controls) {
      if (control == key.arm) continue;
      if (is_endpoint(key, options) && control == options.endpoint_control) {
        continue;
      }
      json row = compare(cells, key, control, "exploratory", options.interval);
      if (!row.is_null()) found.push_back(std::move(row));
    }
  }
  return found;
}

}  // namespace

json summarize(std::span<const Case> cases, const SummaryOptions& options) {
  const Cells cells = collect_cells(cases);
  json described = json::array();
  for (const auto& [key, cell] : cells) {
    described.push_back(describe_cell(key, cell, options.interval));
  }
  return {{"cells", std::move(described)},
          {"endpoint", find_endpoint(cells, options)},
          {"comparisons", explore(cells, options)},
          {"confidence", options.interval.confidence}};
}

std::string format_summary(const json& summary) {
  return summary.dump(2) + "\n";
}

}  // namespace sono
