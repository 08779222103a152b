#include "experiments/report/comparisons.h"

#include <algorithm>

#include "experiments/statistics/holm.h"
#include "experiments/statistics/paired.h"
#include "experiments/statistics/paired_tests.h"

namespace sono {
namespace {

using nlohmann::json;

// What is asked for in one comparison, beside the treatment's cell.
struct Question {
  std::string control;
  std::string metric = "dice";
  std::string role;
};

// Fewer resamples where there are hundreds of comparisons and none is named.
constexpr int kExploratoryResamples = 9'999;

bool more_is_better(const std::string& metric) {
  return metric == "dice" || metric == "iou" || metric.starts_with("nsd");
}

std::string verdict_of(const Estimate& difference, bool more_better) {
  if (!difference.interval) return "no interval";
  const auto& [low, high, method] = *difference.interval;
  if (low > 0) return more_better ? "better" : "worse";
  if (high < 0) return more_better ? "worse" : "better";
  return "no difference shown";
}

// Empty when the cell or the metric is not there.
std::span<const Observation> observations_of(const Cells& cells,
                                             const CellKey& key,
                                             const std::string& metric) {
  const auto cell = cells.find(key);
  if (cell == cells.end()) return {};
  const auto found = cell->second.metrics.find(metric);
  if (found == cell->second.metrics.end()) return {};
  return found->second;
}

json to_json(const PairedTest& test) {
  return {
      {"p", test.p}, {"statistic", test.statistic}, {"method", test.method}};
}

// Exams are independent of one another, their images and seeds are not.
json test_differences(std::span<const Observation> differences,
                      const std::string& role, std::uint64_t seed) {
  const std::vector<double> means = means_by_cluster(differences);
  SignFlipOptions flips;
  flips.seed = seed;
  if (role == "exploratory") flips.num_resamples = kExploratoryResamples;
  return {{"permutation", to_json(sign_flip_test(means, flips))},
          {"wilcoxon", to_json(signed_rank_test(means))},
          {"t", to_json(paired_t_test(means))}};
}

// `key` names the treatment's cell; null when the two arms share no image.
json compare(const Cells& cells, const CellKey& key, const Question& question,
             const IntervalOptions& options) {
  CellKey control_key = key;
  control_key.arm = question.control;
  const PairedObservations pairs =
      pair_observations(observations_of(cells, key, question.metric),
                        observations_of(cells, control_key, question.metric));
  if (pairs.differences.empty()) return nullptr;
  const Estimate difference = estimate_mean(pairs.differences, options);
  json result = to_json(key);
  result.erase("arm");
  result["role"] = question.role;
  result["metric"] = question.metric;
  result["treatment"] = key.arm;
  result["control"] = question.control;
  result["n_pairs"] = difference.num_observations;
  result["n_unpaired"] = pairs.num_unpaired;
  result["n_exams"] = difference.num_clusters;
  result["n_seeds"] = difference.num_seeds;
  result["difference"] = to_json(difference);
  result["verdict"] = verdict_of(difference, more_is_better(question.metric));
  result["tests"] =
      test_differences(pairs.differences, question.role, options.seed);
  result["p"] = result["tests"]["permutation"]["p"];
  result["status"] = "done";
  return result;
}

// Whether `key` is the treatment's cell of a named comparison.
bool is_named(const CellKey& key, const SecondaryEndpoint& named,
              const SummaryOptions& options) {
  return key.arm == options.endpoint_treatment && key.cohort == named.cohort &&
         (options.endpoint_train_cohort.empty() ||
          key.train_cohort == options.endpoint_train_cohort) &&
         key.prompt == named.prompt && key.n_real == options.endpoint_n_real;
}

json missing(const SecondaryEndpoint& named, const std::string& role,
             const SummaryOptions& options) {
  return {
      {"role", role},
      {"status", "missing"},
      {"metric", named.metric},
      {"cohort", named.cohort},
      {"prompt", named.prompt},
      {"reason", "no image was scored by both " + options.endpoint_treatment +
                     " and " + options.endpoint_control +
                     " at N = " + std::to_string(options.endpoint_n_real) +
                     ", cohort " + named.cohort + ", prompt " + named.prompt}};
}

json find_named(const Cells& cells, const SecondaryEndpoint& named,
                const std::string& role, const SummaryOptions& options) {
  const Question question{options.endpoint_control, named.metric, role};
  for (const auto& [key, cell] : cells) {
    if (!is_named(key, named, options)) continue;
    const json found = compare(cells, key, question, options.interval);
    if (!found.is_null()) return found;
  }
  return missing(named, role, options);
}

SecondaryEndpoint endpoint_of(const SummaryOptions& options) {
  return {options.endpoint_cohort, options.endpoint_prompt, "dice"};
}

// Whether a comparison of Dice stands among the named ones.
bool is_named_dice(const CellKey& key, const std::string& control,
                   const SummaryOptions& options) {
  if (control != options.endpoint_control) return false;
  return is_named(key, endpoint_of(options), options) ||
         std::ranges::any_of(options.secondary, [&](const auto& secondary) {
           return secondary.metric == "dice" &&
                  is_named(key, secondary, options);
         });
}

}  // namespace

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

json compare_named(const Cells& cells, const SummaryOptions& options) {
  json named = json::array(
      {find_named(cells, endpoint_of(options), "endpoint", options)});
  for (const SecondaryEndpoint& secondary : options.secondary) {
    named.push_back(find_named(cells, secondary, "secondary", options));
  }
  std::vector<double> p_values;
  for (const json& row : named) p_values.push_back(row.value("p", 1.0));
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (named[i]["status"] == "done") named[i]["p_holm"] = adjusted[i];
  }
  return named;
}

json explore(const Cells& cells, const SummaryOptions& options) {
  const auto is_treatment = [&](const std::string& arm) {
    return std::ranges::find(options.treatments, arm) !=
           options.treatments.end();
  };
  json found = json::array();
  for (const auto& [key, cell] : cells) {
    if (!is_treatment(key.arm)) continue;
    for (const std::string& control : options.controls) {
      if (control == key.arm || is_named_dice(key, control, options)) continue;
      json row = compare(cells, key, {control, "dice", "exploratory"},
                         options.interval);
      if (!row.is_null()) found.push_back(std::move(row));
    }
  }
  return found;
}

}  // namespace sono
