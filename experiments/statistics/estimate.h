#pragma once
// Means of clustered observations with 95 % intervals, as docs/evaluation.md
// has it: images of one exam are not independent, and neither are those of one
// seed.
//
// The estimate is the mean over images, the number that everyone reports.
// - From `min_clusters` exams on: cluster bootstrap of that mean. With several
//   seeds exams and seeds are drawn crossed (Owen, "The pigeonhole bootstrap",
//   Annals of Applied Statistics 2007) and the interval is the percentile one;
//   with one seed it is the BCa one, whose correction is known for a single
//   level of sampling only.
// - Under it: Student's t on the exams' means, centred at `cluster_mean`, the
//   mean over exams, which is the mean over images where every exam has as
//   many of them. It holds the spread between exams, not between seeds;
//   `seed_sd` shows that.
// One exam has no interval.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/statistics/intervals.h"

namespace sono {

struct Observation {
  std::string cluster;  // the exam
  std::string seed;     // the repetition of the experiment; "" without any
  std::string image;    // what pairs observations of two arms
  double value = 0;
};

struct Interval {
  double low = 0;
  double high = 0;
  // "t", "BCa bootstrap" (over exams), "crossed bootstrap" (exams and seeds),
  // or "bootstrap" (percentile, over exams that do not vary).
  std::string method;
};

struct IntervalOptions {
  double confidence = 0.95;
  int min_clusters = 30;     // fewer: t interval on cluster means
  int num_resamples = 2000;  // of the bootstrap
  std::uint64_t seed = 0;    // of the bootstrap
};

struct Estimate {
  int num_observations = 0;
  int num_clusters = 0;
  int num_seeds = 0;        // 0 when no observation has one
  double mean = 0;          // over observations
  double sd = 0;            // of observations, n - 1; 0 for one
  double cluster_mean = 0;  // mean over clusters of their means
  double seed_sd = 0;       // of the seeds' means, n - 1; 0 for one seed
  std::optional<Interval> interval;
};

// Sums and counts by cluster and seed, both in the order of their names.
ClusterTable tabulate(std::span<const Observation> observations);

// The mean of each cluster's observations, in the order of the clusters' names:
// what tests of independent observations are given.
std::vector<double> means_by_cluster(std::span<const Observation> observations);

// The same for any order of the observations, bit for bit. Throws Error when
// there are none.
Estimate estimate_mean(std::span<const Observation> observations,
                       const IntervalOptions& options = {});

}  // namespace sono
