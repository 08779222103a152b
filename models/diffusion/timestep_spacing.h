#pragma once
// Which of the training timesteps a sampler visits (Lin et al. 2023, table 2).

#include <cstdint>
#include <string>
#include <vector>

namespace sono {

struct SpacingOptions {
  std::string spacing = "trailing";  // or "leading", "linspace"
  std::int64_t num_train_timesteps = 1000;
  std::int64_t num_steps = 20;
  std::int64_t steps_offset = 0;
  // Space as for one step more and drop the last: multistep solvers, which go
  // to the clean image by themselves.
  bool drop_last = false;
  // Euler keeps the fractions of "linspace", in fp32.
  bool whole = true;
  // "leading" of multistep solvers begins at T - 1 - T mod (n + 1) or so,
  // elsewhere for each number of steps n. True spreads the timesteps from
  // T - 1 down to steps_offset instead.
  bool fixed_first = false;
};

// Noisiest first, rounded half to even as numpy does. ConfigError when an
// offset reaches beyond the training's last timestep.
std::vector<double> spaced_timesteps(const SpacingOptions& options);

}  // namespace sono
