#pragma once
// Differences between two arms on the same images and seeds.

#include <span>
#include <vector>

#include "experiments/statistics/estimate.h"

namespace sono {

struct PairedObservations {
  // One an image and seed that both arms have, value = treatment - control, in
  // the order of (cluster, seed, image); feed them to estimate_mean.
  std::vector<Observation> differences;
  int num_unpaired = 0;  // observations of either arm without a partner
};

// Pairs by (cluster, seed, image). Throws Error when one arm has two
// observations for the same three.
PairedObservations pair_observations(std::span<const Observation> treatment,
                                     std::span<const Observation> control);

}  // namespace sono
