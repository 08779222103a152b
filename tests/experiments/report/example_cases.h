#pragma once
// Cases of a small made-up study.

#include <string>
#include <vector>

#include "experiments/report/cases.h"

namespace sono {

// `num_images` images, one exam each, under `num_seeds` seeds. The Dice of
// image i is `dice` + 0.0001 * (i % 7), so arms differ by exact constants.
inline std::vector<Case> example_arm(const std::string& arm,
                                     std::int64_t n_real, double dice,
                                     int num_images = 40, int num_seeds = 2) {
  std::vector<Case> cases;
  for (int seed = 0; seed < num_seeds; ++seed) {
    for (int i = 0; i < num_images; ++i) {
      Case row;
      row.arm = arm;
      row.train_cohort = "hc18";
      row.n_real = n_real;
      row.subset_seed = row.train_seed = seed;
      row.cohort = "hc18";
      row.prompt = "frame";
      row.exam = row.image = "image_" + std::to_string(i);
      row.dice = dice + 0.0001 * (i % 7);
      row.hd95_px = 12;
      row.hc_error_pct = i % 2 == 0 ? 2 : -4;
      row.status = "no_spacing";
      cases.push_back(row);
    }
  }
  return cases;
}

inline void append(std::vector<Case>& cases, const std::vector<Case>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

}  // namespace sono
