#pragma once
// The standard normal distribution.

namespace sono {

// P(Z <= z), with full relative accuracy in the lower tail.
double normal_cdf(double z);

// The z with normal_cdf(z) = `probability`, in (0, 1).
double normal_quantile(double probability);

}  // namespace sono
