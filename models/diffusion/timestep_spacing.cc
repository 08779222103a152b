#include "models/diffusion/timestep_spacing.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

std::vector<double> trailing(const SpacingOptions& o) {
  const double train = static_cast<double>(o.num_train_timesteps);
  const double ratio = train / static_cast<double>(o.num_steps);
  // numpy.arange(train, 0, -ratio) has ceil(train / ratio) entries, which may
  // be one more than num_steps.
  const auto count = static_cast<std::int64_t>(std::ceil(train / ratio));
  std::vector<double> timesteps;
  for (std::int64_t i = 0; i < count; ++i) {
    timesteps.push_back(std::nearbyint(train - static_cast<double>(i) * ratio) -
                        1);
  }
  return timesteps;
}

// Least noisy first.
std::vector<double> leading(const SpacingOptions& o, std::int64_t count) {
  const std::int64_t ratio = o.num_train_timesteps / count;
  std::vector<double> timesteps;
  for (std::int64_t i = 0; i < count; ++i) {
    timesteps.push_back(static_cast<double>(i * ratio + o.steps_offset));
  }
  return timesteps;
}

// Least noisy first, from `first` to the training's last timestep.
std::vector<double> linspace(const SpacingOptions& o, std::int64_t count,
                             double first) {
  const double last = static_cast<double>(o.num_train_timesteps - 1);
  const double gap =
      count > 1 ? (last - first) / static_cast<double>(count - 1) : 0;
  std::vector<double> timesteps;
  for (std::int64_t i = 0; i < count; ++i) {
    const double t = first + static_cast<double>(i) * gap;
    timesteps.push_back(o.whole ? std::nearbyint(t) : static_cast<float>(t));
  }
  return timesteps;
}

std::vector<double> ascending(const SpacingOptions& o, std::int64_t count) {
  if (o.spacing != "leading") return linspace(o, count, 0);
  if (o.drop_last && o.fixed_first) {
    return linspace(o, count, static_cast<double>(o.steps_offset));
  }
  return leading(o, count);
}

}  // namespace

std::vector<double> spaced_timesteps(const SpacingOptions& options) {
  const std::int64_t spare = options.drop_last ? 1 : 0;
  SONO_CHECK(options.num_steps >= 1 &&
                 options.num_steps + spare <= options.num_train_timesteps,
             options.num_steps << " steps of " << options.num_train_timesteps);
  if (options.spacing == "trailing") return trailing(options);
  auto timesteps = ascending(options, options.num_steps + spare);
  std::reverse(timesteps.begin(), timesteps.end());
  if (options.drop_last) timesteps.pop_back();
  if (timesteps.front() >= static_cast<double>(options.num_train_timesteps)) {
    throw ConfigError(
        "option steps_offset = " + std::to_string(options.steps_offset) +
        " goes beyond the last training timestep with " +
        std::to_string(options.num_steps) +
        " steps; take fewer steps or another timestep_spacing");
  }
  return timesteps;
}

}  // namespace sono
