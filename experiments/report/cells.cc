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

Value hc_error_mm(const Case& row) {
  if (!row.hc_mm || !row.hc_reference_mm) return std::nullopt;
  return *row.hc_mm - *row.hc_reference_mm;
}

Value absolute(Value value) {
  return value ? Value(std::abs(*value)) : std::nullopt;
}

std::vector<std::pair<const char*, Value>> metrics_of(const Case& row) {
  return {{"dice", row.dice},
          {"iou", row.iou},
          {"hd95_px", row.hd95_px},
          {"hd95_mm", row.hd95_mm},
          {"assd_px", row.assd_px},
          {"assd_mm", row.assd_mm},
          {"hc_error_pct", row.hc_error_pct},
          {"hc_error_mm", hc_error_mm(row)},
          {"hc_abs_error_pct", absolute(row.hc_error_pct)},
          {"hc_abs_error_mm", absolute(hc_error_mm(row))}};
}

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
  if (has_status(row.status, "missed")) ++gathered.cell.num_failures;
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
