#include "models/diffusion/euler_ancestral.h"

#include <algorithm>
#include <cmath>

namespace sono {

EulerAncestralSampler::EulerAncestralSampler(const SamplerConfig& config,
                                             const NoiseSchedule& schedule,
                                             Prediction prediction)
    : EulerAncestralSampler(config, schedule, prediction,
                            euler_ladder(config, schedule)) {}

EulerAncestralSampler::EulerAncestralSampler(const SamplerConfig& config,
                                             const NoiseSchedule& schedule,
                                             Prediction prediction,
                                             SigmaLadder ladder)
    : Sampler(ladder.timesteps, schedule, prediction, config.clip_sample),
      leading_(config.spacing == "leading"),
      ladder_(std::move(ladder)) {}

double EulerAncestralSampler::initial_scale() const {
  // As diffusers: only "leading" allows for the signal that is still there.
  return leading_ ? 1 : ladder_.level(0).sigma;
}

at::Tensor EulerAncestralSampler::noised(const at::Tensor& x,
                                         const at::Tensor& noise,
                                         std::size_t index) const {
  const Level here = ladder_.level(index);
  return here.alpha * x + here.sigma * noise;
}

at::Tensor EulerAncestralSampler::step(const at::Tensor& output,
                                       std::size_t index,
                                       const at::Tensor& sample) {
  const Level here = ladder_.level(index), next = ladder_.level(index + 1);
  const double from = ladder_.sigmas[index], to = ladder_.sigmas[index + 1];
  const at::Tensor x0 = parts(output, sample, here.alpha, here.sigma).x0;
  // Down to less noise than wanted, then up again with new noise.
  const double up =
      std::sqrt(to * to * std::max(0.0, from * from - to * to)) / from;
  const double down = std::sqrt(to * to - up * up);
  const at::Tensor wide = sample / here.alpha;
  at::Tensor x = wide + (wide - x0) * ((down - from) / from);
  if (up > 0) x = x + up * step_noise(index, sample);
  return x * next.alpha;
}

}  // namespace sono
