#pragma once
// Confidence intervals from numbers; estimate.h decides which one is used.

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sono {

using Bounds = std::pair<double, double>;  // low, high

double mean_of(std::span<const double> values);
// Standard deviation with n - 1; 0 for one value.
double deviation_of(std::span<const double> values);

// Student's t interval of the mean; needs two values or more.
Bounds student_interval(std::span<const double> values, double confidence);

// The middle `confidence` of the values, linearly interpolated (numpy's
// percentile, scipy.stats.bootstrap's method "percentile").
Bounds percentile_interval(std::vector<double> values, double confidence);

// The bias-corrected and accelerated interval (Efron 1987) of a statistic whose
// value is `observed`, from its values over bootstrap resamples and with each
// sampling unit left out in turn; as scipy.stats.bootstrap has it. Nothing
// where it does not exist: fewer than two units, values that do not vary, or a
// statistic outside all its resamples.
std::optional<Bounds> bca_interval(std::vector<double> resampled,
                                   double observed,
                                   std::span<const double> left_out,
                                   double confidence);

// Sums and counts of the observations, one row a cluster, one column a seed.
struct ClusterTable {
  int num_clusters = 0;
  int num_seeds = 0;
  std::vector<double> sum;  // [num_clusters * num_seeds]
  std::vector<double> count;
};

// Mean over observations when cluster c is drawn cluster_draws[c] times and
// seed s seed_draws[s] times; NaN when that leaves no observation.
double resampled_mean(const ClusterTable& table,
                      std::span<const int> cluster_draws,
                      std::span<const int> seed_draws);

// Means over observations with each cluster left out in turn; NaN when that
// leaves no observation.
std::vector<double> leave_one_out_means(const ClusterTable& table);

// Means of `num_resamples` crossed bootstrap resamples of clusters and seeds;
// resamples that leave no observation are drawn again.
std::vector<double> bootstrap_means(const ClusterTable& table,
                                    int num_resamples, std::uint64_t seed);

}  // namespace sono
