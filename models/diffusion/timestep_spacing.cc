#include "models/diffusion/timestep_spacing.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

std::int64_t rounded(double value) {
  return static_cast<std::int64_t>(std::nearbyint(value));
}

std::vector<std::int64_t> trailing(const SpacingOptions& o) {
  const double train = static_cast<double>(o.num_train_timesteps);
  const double ratio = train / static_cast<double>(o.num_steps);
  // numpy.arange(train, 0, -ratio) has ceil(train / ratio) entries, which may
  // be one more than num_steps.
  const auto count = static_cast<std::int64_t>(std::ceil(train / ratio));
  std::vector<std::int64_t> timesteps;
  for (std::int64_t i = 0; i < count; ++i) {
    timesteps.push_back(rounded(train - static_cast<double>(i) * ratio) - 1);
  }
  return timesteps;
}

// Least noisy first.
std::vector<std::int64_t> ascending(const SpacingOptions& o,
                                    std::int64_t count) {
  const double last = static_cast<double>(o.num_train_timesteps - 1);
  const std::int64_t ratio = o.num_train_timesteps / count;
  std::vector<std::int64_t> timesteps;
  for (std::int64_t i = 0; i < count; ++i) {
    const double gap = count > 1 ? last / static_cast<double>(count - 1) : 0;
    timesteps.push_back(o.spacing == "leading"
                            ? i * ratio + o.steps_offset
                            : rounded(static_cast<double>(i) * gap));
  }
  return timesteps;
}

}  // namespace

std::vector<std::int64_t> spaced_timesteps(const SpacingOptions& options) {
  SONO_CHECK(
      options.num_steps >= 1 && options.num_steps < options.num_train_timesteps,
      options.num_steps << " steps of " << options.num_train_timesteps);
  if (options.spacing == "trailing") return trailing(options);
  auto timesteps =
      ascending(options, options.num_steps + (options.drop_last ? 1 : 0));
  std::reverse(timesteps.begin(), timesteps.end());
  if (options.drop_last) timesteps.pop_back();
  return timesteps;
}

}  // namespace sono
