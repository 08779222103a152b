#include "experiments/statistics/normal.h"

#include <cmath>
#include <numbers>

#include "core/check.h"

namespace sono {

double normal_cdf(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

double normal_quantile(double probability) {
  SONO_CHECK(probability > 0 && probability < 1,
             "probability " << probability << " is not between 0 and 1");
  if (probability > 0.5) return -normal_quantile(1 - probability);
  double low = -40, high = 0;  // normal_cdf(-40) is 0 in doubles
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
}

}  // namespace sono
