#include "models/diffusion/ddim.h"

#include <cmath>

#include "models/diffusion/timestep_spacing.h"

namespace sono {

DdimSampler::DdimSampler(const SamplerConfig& config,
                         const NoiseSchedule& schedule, Prediction prediction)
    : Sampler(spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                                config.num_steps, config.steps_offset})),
      config_(config),
      schedule_(schedule),
      prediction_(prediction) {}

at::Tensor DdimSampler::step(const at::Tensor& output, std::size_t index,
                             const at::Tensor& sample) {
  const std::int64_t now = timesteps().at(index);
  // As diffusers: a fixed stride, even where the spacing was rounded.
  const std::int64_t next =
      now - schedule_.num_train_timesteps() / config_.num_steps;
  const double a = schedule_.alpha_cumprod(now);
  const double last =
      config_.set_alpha_to_one ? 1.0 : schedule_.alpha_cumprod(0);
  const double a_next = next >= 0 ? schedule_.alpha_cumprod(next) : last;

  Denoised parts =
      denoise(prediction_, output, sample, std::sqrt(a), std::sqrt(1 - a));
  if (config_.clip_sample) parts.x0 = parts.x0.clamp(-1, 1);
  return std::sqrt(a_next) * parts.x0 + std::sqrt(1 - a_next) * parts.epsilon;
}

}  // namespace sono
