#include "experiments/statistics/estimate.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "core/check.h"

namespace sono {
namespace {

// Sums are taken in one order whatever order the observations came in.
std::vector<Observation> sorted(std::span<const Observation> observations) {
  std::vector<Observation> copy(observations.begin(), observations.end());
  std::ranges::sort(copy, {}, [](const Observation& o) {
    return std::tie(o.cluster, o.seed, o.image, o.value);
  });
  return copy;
}

// Numbers the distinct keys in sorted order.
std::map<std::string, int> number_keys(
    std::span<const Observation> observations, std::string Observation::*key) {
  std::map<std::string, int> numbers;
  for (const Observation& o : observations) numbers[o.*key] = 0;
  int next = 0;
  for (auto& [name, number] : numbers) number = next++;
  return numbers;
}

// The mean of each group of observations, in the order of the groups' keys.
std::vector<double> group_means(std::span<const Observation> observations,
                                std::string Observation::*key) {
  std::map<std::string, std::pair<double, int>> groups;
  for (const Observation& o : observations) {
    auto& [sum, count] = groups[o.*key];
    sum += o.value;
    ++count;
  }
  std::vector<double> means;
  for (const auto& [name, group] : groups) {
    means.push_back(group.first / group.second);
  }
  return means;
}

double table_mean(const ClusterTable& table) {
  const std::vector<int> clusters(table.num_clusters, 1);
  const std::vector<int> seeds(table.num_seeds, 1);
  return resampled_mean(table, clusters, seeds);
}

std::optional<Interval> make_interval(std::span<const Observation> observations,
                                      const IntervalOptions& options) {
  const auto cluster_means = group_means(observations, &Observation::cluster);
  if (cluster_means.size() < 2) return std::nullopt;
  if (static_cast<int>(cluster_means.size()) < options.min_clusters) {
    const auto [low, high] =
        student_interval(cluster_means, options.confidence);
    return Interval{low, high, "t"};
  }
  const ClusterTable table = tabulate(observations);
  const std::vector<double> means =
      bootstrap_means(table, options.num_resamples, options.seed);
  if (table.num_seeds == 1) {
    const auto bounds =
        bca_interval(means, table_mean(table), leave_one_out_means(table),
                     options.confidence);
    if (bounds) return Interval{bounds->first, bounds->second, "BCa bootstrap"};
  }
  const auto [low, high] = percentile_interval(means, options.confidence);
  return Interval{low, high,
                  table.num_seeds > 1 ? "crossed bootstrap" : "bootstrap"};
}

}  // namespace

ClusterTable tabulate(std::span<const Observation> observations) {
  const auto clusters = number_keys(observations, &Observation::cluster);
  const auto seeds = number_keys(observations, &Observation::seed);
  ClusterTable table;
  table.num_clusters = static_cast<int>(clusters.size());
  table.num_seeds = static_cast<int>(seeds.size());
  table.sum.resize(clusters.size() * seeds.size());
  table.count.resize(table.sum.size());
  for (const Observation& o : sorted(observations)) {
    const int cell =
        clusters.at(o.cluster) * table.num_seeds + seeds.at(o.seed);
    table.sum[cell] += o.value;
    ++table.count[cell];
  }
  return table;
}

std::vector<double> means_by_cluster(
    std::span<const Observation> observations) {
  return group_means(sorted(observations), &Observation::cluster);
}

Estimate estimate_mean(std::span<const Observation> observations,
                       const IntervalOptions& options) {
  SONO_CHECK(!observations.empty(), "an estimate from no observations");
  const std::vector<Observation> ordered = sorted(observations);
  std::vector<double> values;
  for (const Observation& o : ordered) values.push_back(o.value);
  const auto cluster_means = group_means(ordered, &Observation::cluster);
  const auto seed_means = group_means(ordered, &Observation::seed);

  Estimate estimate;
  estimate.num_observations = static_cast<int>(values.size());
  estimate.num_clusters = static_cast<int>(cluster_means.size());
  const bool has_seeds = seed_means.size() > 1 || !ordered.front().seed.empty();
  estimate.num_seeds = has_seeds ? static_cast<int>(seed_means.size()) : 0;
  estimate.mean = mean_of(values);
  estimate.sd = deviation_of(values);
  estimate.cluster_mean = mean_of(cluster_means);
  estimate.seed_sd = deviation_of(seed_means);
  estimate.interval = make_interval(ordered, options);
  return estimate;
}

}  // namespace sono
