#include "experiments/report/cells.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "experiments/metrics/score.h"
#include "experiments/statistics/intervals.h"

namespace sono {
namespace {

using Value = std::optional<double>;

Value difference(Value value, Value reference) {
  if (!value || !reference) return std::nullopt;
  return *value - *reference;
}

Value absolute(Value value) {
  return value ? Value(std::abs(*value)) : std::nullopt;
}

std::vector<std::pair<const char*, Value>> metrics_of(const Case& row) {
  const Value hc = difference(row.hc_mm, row.hc_reference_mm);
  const Value bpd = difference(row.bpd_mm, row.bpd_reference_mm);
  const Value ofd = difference(row.ofd_mm, row.ofd_reference_mm);
  return {{"dice", row.dice},
          {"iou", row.iou},
          {"hd_px", row.hd_px},
          {"hd_mm", row.hd_mm},
          {"hd95_px", row.hd95_px},
          {"hd95_mm", row.hd95_mm},
          {"assd_px", row.assd_px},
          {"assd_mm", row.assd_mm},
          {"nsd_px", row.nsd_px},
          {"nsd_mm", row.nsd_mm},
          {"hc_error_pct", row.hc_error_pct},
          {"hc_error_mm", hc},
          {"hc_abs_error_pct", absolute(row.hc_error_pct)},
          {"hc_abs_error_mm", absolute(hc)},
          {"hc_floor_pct", row.hc_floor_pct},
          {"bpd_error_mm", bpd},
          {"bpd_abs_error_mm", absolute(bpd)},
          {"ofd_error_mm", ofd},
          {"ofd_abs_error_mm", absolute(ofd)}};
}

// The values of one image's draws, by (cluster, seed, image).
using Draws = std::map<std::tuple<std::string, std::string, std::string>,
                       std::vector<double>>;

struct Gathered {
  Cell cell;
  std::set<std::string> images;
  std::map<std::string, Draws> metrics;
};

void gather(const Case& row, Gathered& gathered) {
  ++gathered.cell.num_cases;
  const bool missed = has_status(row.status, "missed");
  if (missed) ++gathered.cell.num_failures;
  if (missed || has_status(row.status, "no_ellipse")) {
    ++gathered.cell.num_unmeasured;
  }
  gathered.images.insert(row.image);
  for (const auto& [name, value] : metrics_of(row)) {
    if (!value) continue;
    gathered.metrics[name][{cluster_of(row), seed_of(row), row.image}]
        .push_back(*value);
  }
}

Cell average_draws(Gathered& gathered) {
  Cell cell = std::move(gathered.cell);
  cell.num_images = static_cast<int>(gathered.images.size());
  for (auto& [name, draws] : gathered.metrics) {
    for (auto& [key, values] : draws) {
      std::ranges::sort(values);  // one order of addition
      const auto& [cluster, seed, image] = key;
      cell.metrics[name].push_back({cluster, seed, image, mean_of(values)});
    }
  }
  return cell;
}

}  // namespace

std::string cluster_of(const Case& row) {
  if (!row.patient.empty()) return row.patient;
  return row.exam.empty() ? row.image : row.exam;
}

std::string seed_of(const Case& row) {
  if (!row.subset_seed && !row.train_seed) return "";
  const auto text = [](const std::optional<std::int64_t>& seed) {
    return seed ? std::to_string(*seed) : "-";
  };
  return text(row.subset_seed) + "/" + text(row.train_seed);
}

nlohmann::json to_json(const CellKey& key) {
  nlohmann::json n_real = nullptr;
  if (key.n_real) n_real = *key.n_real;
  return {{"cohort", key.cohort},
          {"prompt", key.prompt},
          {"train_cohort", key.train_cohort},
          {"arm", key.arm},
          {"n_real", n_real}};
}

std::map<CellKey, Cell> collect_cells(std::span<const Case> cases) {
  std::map<CellKey, Gathered> gathered;
  for (const Case& row : cases) {
    const CellKey key{row.cohort, row.prompt, row.train_cohort, row.arm,
                      row.n_real};
    gather(row, gathered[key]);
  }
  std::map<CellKey, Cell> cells;
  for (auto& [key, part] : gathered) cells[key] = average_draws(part);
  return cells;
}

}  // namespace sono
