#pragma once

#include <vector>

namespace sono {

// Percentile by linear interpolation between order statistics, as
// numpy.percentile and torch.quantile have it; `fraction` in [0, 1].
// Reorders `values`; throws Error when there are none.
double percentile(std::vector<double>& values, double fraction);

}  // namespace sono
