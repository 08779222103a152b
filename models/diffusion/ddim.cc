#include "models/diffusion/ddim.h"

#include <algorithm>
#include <cmath>

#include "models/diffusion/timestep_spacing.h"

namespace sono {

DdimSampler::DdimSampler(const SamplerConfig& config,
                         const NoiseSchedule& schedule, Prediction prediction)
    : Sampler(spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                                config.num_steps, config.steps_offset}),
              schedule, prediction, config.clip_sample),
      config_(config) {}

std::int64_t DdimSampler::next_timestep(std::size_t index) const {
  if (config_.corrected) {
    return index + 1 < timesteps().size() ? whole_timestep(index + 1) : -1;
  }
  // As diffusers: a fixed stride, even where the spacing is another.
  return whole_timestep(index) -
         schedule().num_train_timesteps() / config_.num_steps;
}

at::Tensor DdimSampler::step(const at::Tensor& output, std::size_t index,
                             const at::Tensor& sample) {
  const std::int64_t next = next_timestep(index);
  const double a = schedule().alpha_cumprod(whole_timestep(index));
  const double last =
      config_.set_alpha_to_one ? 1.0 : schedule().alpha_cumprod(0);
  const double a_next = next >= 0 ? schedule().alpha_cumprod(next) : last;
  const Denoised now = parts(output, sample, std::sqrt(a), std::sqrt(1 - a));
  const double deviation =
      config_.eta * std::sqrt((1 - a_next) / (1 - a) * (1 - a / a_next));
  const double direction =
      std::sqrt(std::max(0.0, 1 - a_next - deviation * deviation));
  const at::Tensor mean = std::sqrt(a_next) * now.x0 + direction * now.epsilon;
  if (config_.eta == 0) return mean;
  return mean + deviation * step_noise(index, sample);
}

}  // namespace sono
