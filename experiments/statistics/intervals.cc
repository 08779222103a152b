#include "experiments/statistics/intervals.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/random.h"
#include "experiments/statistics/normal.h"
#include "experiments/statistics/percentile.h"
#include "experiments/statistics/student.h"

namespace sono {
namespace {

// How often each of n things is drawn in n draws with replacement. One thing
// is drawn once, so a single seed adds no spread.
void draw_counts(Random& random, std::vector<int>& counts) {
  std::ranges::fill(counts, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    ++counts[random.below(counts.size())];
  }
}

// Efron's acceleration from jackknife values; nothing when they do not vary.
std::optional<double> acceleration_of(std::span<const double> left_out) {
  if (left_out.size() < 2) return std::nullopt;
  const double mean = mean_of(left_out);
  double squares = 0, cubes = 0;
  for (double value : left_out) {
    const double influence = mean - value;
    squares += influence * influence;
    cubes += influence * influence * influence;
  }
  if (!(squares > 0)) return std::nullopt;  // zero, or NaN
  return cubes / (6 * std::pow(squares, 1.5));
}

}  // namespace

double mean_of(std::span<const double> values) {
  SONO_CHECK(!values.empty(), "the mean of no values");
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation_of(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

Bounds student_interval(std::span<const double> values, double confidence) {
  SONO_CHECK(values.size() >= 2, "a t interval needs two values");
  const double n = static_cast<double>(values.size());
  const double half = student_quantile((1 + confidence) / 2, n - 1) *
                      deviation_of(values) / std::sqrt(n);
  const double mean = mean_of(values);
  return {mean - half, mean + half};
}

Bounds percentile_interval(std::vector<double> values, double confidence) {
  const double low = percentile(values, (1 - confidence) / 2);
  return {low, percentile(values, (1 + confidence) / 2)};
}

std::optional<Bounds> bca_interval(std::vector<double> resampled,
                                   double observed,
                                   std::span<const double> left_out,
                                   double confidence) {
  const auto acceleration = acceleration_of(left_out);
  if (!acceleration) return std::nullopt;
  // Resamples equal to the observed value count half on either side.
  double below = 0;
  for (double value : resampled) {
    below += (value < observed) + 0.5 * (value == observed);
  }
  const double share = below / static_cast<double>(resampled.size());
  if (share <= 0 || share >= 1) return std::nullopt;
  const double bias = normal_quantile(share);
  const auto level = [&](double z) {
    const double shifted = bias + z;
    return normal_cdf(bias + shifted / (1 - *acceleration * shifted));
  };
  const double z = normal_quantile((1 - confidence) / 2);
  const double low = percentile(resampled, level(z));
  return Bounds{low, percentile(resampled, level(-z))};
}

double resampled_mean(const ClusterTable& table,
                      std::span<const int> cluster_draws,
                      std::span<const int> seed_draws) {
  double sum = 0, count = 0;
  for (int c = 0; c < table.num_clusters; ++c) {
    if (cluster_draws[c] == 0) continue;
    double row_sum = 0, row_count = 0;
    for (int s = 0; s < table.num_seeds; ++s) {
      const int cell = c * table.num_seeds + s;
      row_sum += seed_draws[s] * table.sum[cell];
      row_count += seed_draws[s] * table.count[cell];
    }
    sum += cluster_draws[c] * row_sum;
    count += cluster_draws[c] * row_count;
  }
  return sum / count;
}

std::vector<double> leave_one_out_means(const ClusterTable& table) {
  const std::vector<int> seed_draws(table.num_seeds, 1);
  std::vector<int> cluster_draws(table.num_clusters, 1);
  std::vector<double> means;
  for (int& draws : cluster_draws) {
    draws = 0;
    means.push_back(resampled_mean(table, cluster_draws, seed_draws));
    draws = 1;
  }
  return means;
}

std::vector<double> bootstrap_means(const ClusterTable& table,
                                    int num_resamples, std::uint64_t seed) {
  SONO_CHECK(mean_of(table.count) > 0, "no observations to resample");
  Random random(make_key("statistics.bootstrap", seed));
  std::vector<int> cluster_draws(table.num_clusters);
  std::vector<int> seed_draws(table.num_seeds);
  std::vector<double> means;
  while (static_cast<int>(means.size()) < num_resamples) {
    draw_counts(random, cluster_draws);
    draw_counts(random, seed_draws);
    const double mean = resampled_mean(table, cluster_draws, seed_draws);
    if (!std::isnan(mean)) means.push_back(mean);
  }
  return means;
}

}  // namespace sono
