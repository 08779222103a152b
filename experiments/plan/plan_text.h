#pragma once
// The plan as people read it.

#include <filesystem>
#include <set>
#include <string>

#include "experiments/plan/costs.h"

namespace sono {

struct PlanText {
  const Recipe& recipe;
  const Plan& plan;
  const UnitCosts& costs;
  int ranks = 1;
  std::filesystem::path out;
};

// Cohorts, missing inputs with remedies, runs, stages in order with their work
// and time, evaluation, disk, and the estimate with its basis.
std::string plan_text(const PlanText& input);

}  // namespace sono
