#include "experiments/statistics/agreement.h"

#include <algorithm>
#include <cmath>

#include "experiments/statistics/intervals.h"
#include "experiments/statistics/normal.h"
#include "experiments/statistics/student.h"

namespace sono {
namespace {

// Around a limit at `value`, as Bland and Altman have it.
Interval formula_interval(double value, double sd, double n, double z,
                          double confidence) {
  const double error = sd * std::sqrt(1 / n + z * z / (2 * (n - 1)));
  const double half = student_quantile((1 + confidence) / 2, n - 1) * error;
  return {value - half, value + half, "t"};
}

// bias -+ z sd of every resample. The second table holds the squares; equal
// seeds draw equal resamples from both.
std::vector<double> resampled_limits(std::span<const Observation> differences,
                                     double signed_z,
                                     const IntervalOptions& options) {
  std::vector<Observation> squares(differences.begin(), differences.end());
  for (Observation& o : squares) o.value *= o.value;
  const auto draw = [&](std::span<const Observation> observations) {
    return bootstrap_means(tabulate(observations), options.num_resamples,
                           options.seed);
  };
  std::vector<double> limits = draw(differences);
  const std::vector<double> mean_squares = draw(squares);
  const double n = static_cast<double>(differences.size());
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const double variance = mean_squares[i] - limits[i] * limits[i];
    limits[i] += signed_z * std::sqrt(std::max(0.0, variance) * n / (n - 1));
  }
  return limits;
}

AgreementLine limit(std::span<const Observation> differences,
                    const Agreement& found, double signed_z,
                    const IntervalOptions& options) {
  AgreementLine line{found.bias.value + signed_z * found.sd, std::nullopt};
  if (!found.bias.interval) return line;
  if (found.num_clusters < options.min_clusters) {
    line.interval = formula_interval(line.value, found.sd, found.num_clusters,
                                     signed_z, options.confidence);
    return line;
  }
  const auto [low, high] = percentile_interval(
      resampled_limits(differences, signed_z, options), options.confidence);
  line.interval = Interval{low, high, "bootstrap"};
  return line;
}

}  // namespace

Agreement bland_altman(std::span<const Observation> differences,
                       const IntervalOptions& options) {
  const Estimate estimate = estimate_mean(differences, options);
  Agreement found;
  found.num_observations = estimate.num_observations;
  found.num_clusters = estimate.num_clusters;
  found.sd = estimate.sd;
  found.bias = {estimate.mean, estimate.interval};
  const double z = normal_quantile((1 + options.confidence) / 2);
  found.lower = limit(differences, found, -z, options);
  found.upper = limit(differences, found, z, options);
  return found;
}

}  // namespace sono
