#pragma once
// The noise levels that the solvers in sigma = noise / signal go down.

#include <cstddef>
#include <vector>

#include "models/diffusion/sampler.h"

namespace sono {

// Signal and noise levels; `log_snr` is the log of their ratio.
struct Level {
  double alpha, sigma, log_snr;
};

struct SigmaLadder {
  std::vector<double> timesteps;
  std::vector<double> sigmas;  // one a timestep, then where the last step ends

  Level level(std::size_t index) const;
};

// For multistep solvers: integer timesteps, optionally Karras's levels.
SigmaLadder multistep_ladder(const SamplerConfig& config,
                             const NoiseSchedule& schedule);
// For Euler: timesteps may have fractions; ends at 0.
SigmaLadder euler_ladder(const SamplerConfig& config,
                         const NoiseSchedule& schedule);

}  // namespace sono
