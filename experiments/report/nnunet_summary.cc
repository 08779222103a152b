#include "experiments/report/nnunet_summary.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

namespace sono {
namespace {

using nlohmann::json;

std::string candidate_name(const Case& row, bool name_cohort) {
  std::string name = row.arm;
  if (name_cohort && !row.train_cohort.empty()) name += "-" + row.train_cohort;
  if (row.n_real) name += "-n" + std::to_string(*row.n_real);
  if (row.train_seed) name += "-s" + std::to_string(*row.train_seed);
  return name;
}

// Names come from users' folders: no part may lead out of the report's own.
std::string safe(std::string part) {
  for (char& c : part) {
    if (c == '/' || c == '\0') c = '_';
  }
  return part.empty() || part[0] == '.' ? "_" + part : part;
}

json metrics_of(const Case& row) {
  json metrics = json::object();
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) metrics[name] = *value;
  };
  add("Dice", row.dice);
  add("IoU", row.iou);
  add("HD95", row.hd95_px);
  add("ASSD", row.assd_px);
  add("HD95_mm", row.hd95_mm);
  add("ASSD_mm", row.assd_mm);
  return metrics;
}

std::string case_name(const Case& row) {
  std::string name = row.image;
  if (row.prompt == "gt-box") {
    name += "-draw" + std::to_string(row.draw.value_or(0));
  }
  return name;
}

// Means over the cases that have the metric.
json means_of(const std::vector<json>& cases) {
  std::map<std::string, std::pair<double, int>> sums;
  for (const json& metrics : cases) {
    for (const auto& [name, value] : metrics.items()) {
      sums[name].first += value.get<double>();
      ++sums[name].second;
    }
  }
  json means = json::object();
  for (const auto& [name, sum] : sums) means[name] = sum.first / sum.second;
  return means;
}

std::string summary_text(const std::vector<const Case*>& rows) {
  json per_case = json::array();
  std::vector<json> metrics;
  for (const Case* row : rows) {
    metrics.push_back(metrics_of(*row));
    per_case.push_back({{"metrics", {{"1", metrics.back()}}},
                        {"prediction_file", case_name(*row)},
                        {"reference_file", row->image}});
  }
  const json mean = means_of(metrics);
  return json{{"foreground_mean", mean},
              {"mean", {{"1", mean}}},
              {"metric_per_case", per_case}}
             .dump(4) +
         "\n";
}

}  // namespace

std::map<std::string, std::string> nnunet_summaries(
    std::span<const Case> cases) {
  std::set<std::string> train_cohorts;
  for (const Case& row : cases) {
    if (!row.train_cohort.empty()) train_cohorts.insert(row.train_cohort);
  }
  std::map<std::string, std::vector<const Case*>> groups;
  for (const Case& row : cases) {
    const std::string path =
        safe(row.cohort) + "/" +
        safe(candidate_name(row, train_cohorts.size() > 1)) + "/" +
        safe(row.prompt) + "/summary.json";
    groups[path].push_back(&row);
  }
  std::map<std::string, std::string> files;
  for (const auto& [path, rows] : groups) files[path] = summary_text(rows);
  return files;
}

}  // namespace sono
