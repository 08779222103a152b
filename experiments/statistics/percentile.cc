#include "experiments/statistics/percentile.h"

#include <algorithm>

#include "core/check.h"

namespace sono {

double percentile(std::vector<double>& values, double fraction) {
  SONO_CHECK(!values.empty(), "percentile of no values");
  SONO_CHECK(fraction >= 0 && fraction <= 1, "fraction " << fraction);
  const double rank = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const double weight = rank - static_cast<double>(below);
  const auto lower = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), lower, values.end());
  if (weight == 0) return *lower;
  const double upper = *std::min_element(lower + 1, values.end());
  return *lower + weight * (upper - *lower);
}

}  // namespace sono
