#pragma once
// Rows of cases.csv gathered into the cells that the tables show.

#include <compare>
#include <map>
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
  int num_cases = 0;     // rows
  int num_failures = 0;  // rows whose prediction is empty
  int num_images = 0;    // distinct
  // By metric: dice, iou, hd95_px, hd95_mm, assd_px, assd_mm, hc_error_pct
  // (signed), hc_error_mm (signed), hc_abs_error_pct, hc_abs_error_mm. One
  // observation an image and seed, its draws averaged; images without the
  // metric (no reference, no spacing) are left out.
  std::map<std::string, std::vector<Observation>> metrics;
};

// An observation's cluster is the patient where known, else the exam, else the
// image; its seed is the pair of subset and training seed. The result is the
// same for any order of the cases.
std::map<CellKey, Cell> collect_cells(std::span<const Case> cases);

}  // namespace sono
