#pragma once
// How the cells of a summary are laid out for a reader: one panel a test
// cohort and prompt, rows arms, columns numbers of real training images.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sono {

struct Panel {
  std::string cohort;
  std::string prompt;
  std::string train_cohort;
  // In reading order; both blind baselines always stand at the end.
  std::vector<std::string> arms;
  // Ascending; 0 holds the arms that saw no real image.
  std::vector<std::int64_t> n_reals;
  std::vector<nlohmann::json> cells;

  // The cell, or null when it was not scored.
  const nlohmann::json* find(const std::string& arm, std::int64_t n_real) const;
};

// Panels sorted by cohort, then frame, self, detector, gt-box. Cells without a
// training cohort (zero-shot, baselines) stand in every panel of their cohort
// and prompt.
std::vector<Panel> make_panels(const nlohmann::json& summary);

bool is_blind_baseline(const std::string& arm);

// Place in the reading order; unknown arms come before the baselines.
int arm_rank(const std::string& arm);

// What an arm is, in a few words; empty for an unknown one.
std::string arm_meaning(const std::string& arm);
std::string prompt_meaning(const std::string& prompt);

}  // namespace sono
