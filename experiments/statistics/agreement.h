#pragma once
// Bland and Altman's limits of agreement (Statistical Methods in Medical
// Research 1999) between a measurement and its reference, for clustered
// observations.

#include <optional>
#include <span>

#include "experiments/statistics/estimate.h"

namespace sono {

struct AgreementLine {
  double value = 0;
  std::optional<Interval> interval;
};

struct Agreement {
  int num_observations = 0;
  int num_clusters = 0;
  double sd = 0;  // of the differences, n - 1
  AgreementLine bias;
  // Where 95 % (`confidence`) of single measurements are expected to lie:
  // bias -+ 1.96 sd.
  AgreementLine lower;
  AgreementLine upper;
};

// `differences`: measurement minus reference, one an image and seed. The bias
// is the mean over observations with the interval of estimate_mean. The limits'
// intervals come from the same crossed bootstrap of clusters and seeds, and
// under `min_clusters` clusters from the published formula with the number of
// clusters as sample size, which is cautious where a cluster has several
// images; one cluster has none. Throws Error without observations.
Agreement bland_altman(std::span<const Observation> differences,
                       const IntervalOptions& options = {});

}  // namespace sono
