#include "models/diffusion/sigma_ladder.h"

#include <algorithm>
#include <cmath>

#include "models/diffusion/timestep_spacing.h"

namespace sono {
namespace {

// diffusers' stand-in for a last timestep without any signal.
constexpr double kLeastSignal = 0x1.0p-24;
constexpr double kKarrasRho = 7;

double sigma_of(const NoiseSchedule& schedule, std::int64_t timestep) {
  double a = schedule.alpha_cumprod(timestep);
  if (a == 0) a = kLeastSignal;
  return std::sqrt((1 - a) / a);
}

// Linear between whole timesteps.
double sigma_at(const NoiseSchedule& schedule, double timestep) {
  const auto below = static_cast<std::int64_t>(std::floor(timestep));
  const double low = sigma_of(schedule, below);
  const double part = timestep - static_cast<double>(below);
  if (part == 0) return low;
  return low + part * (sigma_of(schedule, below + 1) - low);
}

// The timestep of a noise level, linear in its logarithm.
double timestep_of(double sigma, const std::vector<double>& log_sigmas) {
  const double wanted = std::log(std::max(sigma, 1e-10));
  const auto above =
      std::upper_bound(log_sigmas.begin(), log_sigmas.end(), wanted);
  const auto low = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(
      above - log_sigmas.begin() - 1, 0,
      static_cast<std::ptrdiff_t>(log_sigmas.size()) - 2));
  const double part = std::clamp(
      (log_sigmas[low] - wanted) / (log_sigmas[low] - log_sigmas[low + 1]), 0.0,
      1.0);
  return (1 - part) * static_cast<double>(low) +
         part * static_cast<double>(low + 1);
}

void use_karras_levels(const SamplerConfig& config,
                       const NoiseSchedule& schedule, SigmaLadder& ladder) {
  const std::int64_t train = schedule.num_train_timesteps();
  std::vector<double> log_sigmas;
  for (std::int64_t t = 0; t < train; ++t) {
    log_sigmas.push_back(std::log(sigma_of(schedule, t)));
  }
  const double low = std::pow(sigma_of(schedule, 0), 1 / kKarrasRho);
  const double high = std::pow(sigma_of(schedule, train - 1), 1 / kKarrasRho);
  // As diffusers' DPM solver with the cosine schedule.
  const bool cut = config.kind == "dpmpp_2m" && !config.corrected &&
                   schedule.config().beta_schedule == "squaredcos_cap_v2";
  ladder = {};
  for (std::int64_t i = 0; i < config.num_steps; ++i) {
    const double part =
        config.num_steps > 1
            ? static_cast<double>(i) / static_cast<double>(config.num_steps - 1)
            : 0;
    const double sigma = std::pow(high + part * (low - high), kKarrasRho);
    ladder.sigmas.push_back(sigma);
    const double t = timestep_of(sigma, log_sigmas);
    ladder.timesteps.push_back(cut ? std::trunc(t) : std::nearbyint(t));
  }
}

}  // namespace

Level SigmaLadder::level(std::size_t index) const {
  const double ratio = sigmas.at(index);
  const double alpha = 1 / std::sqrt(ratio * ratio + 1);
  return {alpha, ratio * alpha, -std::log(ratio)};
}

SigmaLadder multistep_ladder(const SamplerConfig& config,
                             const NoiseSchedule& schedule) {
  SigmaLadder ladder;
  if (config.karras_sigmas) {
    use_karras_levels(config, schedule, ladder);
  } else {
    ladder.timesteps =
        spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                          config.num_steps, config.steps_offset,
                          /*drop_last=*/true, /*whole=*/true,
                          /*fixed_first=*/config.corrected});
    for (const double t : ladder.timesteps) {
      ladder.sigmas.push_back(sigma_at(schedule, t));
    }
  }
  // As diffusers' UniPC, whose only step is none then.
  const bool stays = config.karras_sigmas && config.kind == "unipc" &&
                     config.num_steps == 1 && !config.corrected;
  const double least = stays ? ladder.sigmas.back() : sigma_of(schedule, 0);
  ladder.sigmas.push_back(config.final_sigma == "zero" ? 0 : least);
  return ladder;
}

SigmaLadder euler_ladder(const SamplerConfig& config,
                         const NoiseSchedule& schedule) {
  SigmaLadder ladder;
  ladder.timesteps =
      spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                        config.num_steps, config.steps_offset,
                        /*drop_last=*/false, /*whole=*/false});
  for (const double t : ladder.timesteps) {
    ladder.sigmas.push_back(sigma_at(schedule, t));
  }
  ladder.sigmas.push_back(0);
  return ladder;
}

}  // namespace sono
