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
};

// Noisiest first, rounded half to even as numpy does.
std::vector<std::int64_t> spaced_timesteps(const SpacingOptions& options);

}  // namespace sono
