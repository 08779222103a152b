#include "models/diffusion/ddpm.h"

#include <algorithm>
#include <cmath>

#include "models/diffusion/timestep_spacing.h"

namespace sono {

DdpmSampler::DdpmSampler(const SamplerConfig& config,
                         const NoiseSchedule& schedule, Prediction prediction)
    : Sampler(spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                                config.num_steps, config.steps_offset}),
              schedule, prediction, config.clip_sample),
      config_(config) {}

at::Tensor DdpmSampler::step(const at::Tensor& output, std::size_t index,
                             const at::Tensor& sample) {
  const bool last = index + 1 == timesteps().size();
  const double a = schedule().alpha_cumprod(whole_timestep(index));
  const double a_next =
      last ? 1.0 : schedule().alpha_cumprod(whole_timestep(index + 1));
  const double alpha = a / a_next, beta = 1 - alpha;
  const Denoised now = parts(output, sample, std::sqrt(a), std::sqrt(1 - a));
  // Equation 7: the posterior's mean given the clean image.
  const at::Tensor mean = std::sqrt(a_next) * beta / (1 - a) * now.x0 +
                          std::sqrt(alpha) * (1 - a_next) / (1 - a) * sample;
  if (whole_timestep(index) == 0 || (last && config_.corrected)) return mean;
  const double variance = config_.variance == "fixed_large"
                              ? beta
                              : std::max((1 - a_next) / (1 - a) * beta, 1e-20);
  return mean + std::sqrt(variance) * step_noise(index, sample);
}

}  // namespace sono
