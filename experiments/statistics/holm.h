#pragma once

#include <span>
#include <vector>

namespace sono {

// Holm's step-down adjustment (Scandinavian Journal of Statistics 1979): what
// each p value of a family is to be compared with the family's level as, in the
// order given. At most 1, and never below the p value itself.
std::vector<double> holm_adjusted(std::span<const double> p_values);

}  // namespace sono
