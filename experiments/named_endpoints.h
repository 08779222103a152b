#pragma once

#include "experiments/recipe.h"
#include "experiments/report/summary.h"

namespace sono {

// The comparisons that a recipe names before it is run. Under the protocol
// equal-work: Dice under `frame`, in the first training cohort, at the first N,
// concat minus us-aug; and beside it the same in each other test cohort, the
// error of the circumference, and the prompt `detector` where the recipe asks
// for it. Under wang the paper's own question, alone.
SummaryOptions named_endpoints(const Recipe& recipe);

}  // namespace sono
