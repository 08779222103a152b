#pragma once
// Rows of cases.csv gathered into the cells that the tables show.

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/report/cases.h"
#include "experiments/statistics/estimate.h"

namespace sono {

struct CellKey {
  std::string cohort;  // of the test images
  std::string prompt;
  std::string train_cohort;
  std::string arm;
  std::optional<std::int64_t> n_real;

  auto operator<=>(const CellKey&) const = default;
};

struct Cell {
  int num_cases = 0;       // rows
  int num_failures = 0;    // rows whose prediction is empty
  int num_unmeasured = 0;  // rows without an ellipse, the empty ones included
  int num_images = 0;      // distinct
  // By metric: dice, iou; hd, hd95, assd and nsd with _px and _mm;
  // hc_error_pct, hc_error_mm, bpd_error_mm, ofd_error_mm (signed) and the same
  // with _abs_error; hc_floor_pct (of the reference itself). One observation an
  // image and seed, its draws averaged; images without the metric (no
  // reference, no spacing) are left out.
  std::map<std::string, std::vector<Observation>> metrics;
};

// Who a row's image belongs to (patient, else exam, else image) and which
// repetition it comes from.
std::string cluster_of(const Case& row);
std::string seed_of(const Case& row);

// What names a cell in json: {cohort, prompt, train_cohort, arm, n_real}.
nlohmann::json to_json(const CellKey& key);

// An observation's cluster is the patient where known, else the exam, else the
// image; its seed is the pair of subset and training seed. The result is the
// same for any order of the cases.
std::map<CellKey, Cell> collect_cells(std::span<const Case> cases);

}  // namespace sono
