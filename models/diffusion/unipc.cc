#include "models/diffusion/unipc.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "models/diffusion/timestep_spacing.h"

namespace sono {

UniPcSampler::UniPcSampler(const SamplerConfig& config,
                           const NoiseSchedule& schedule, Prediction prediction)
    : Sampler(spaced_timesteps({config.spacing, schedule.num_train_timesteps(),
                                config.num_steps, config.steps_offset,
                                /*drop_last=*/true})),
      prediction_(prediction),
      clip_sample_(config.clip_sample) {
  for (const std::int64_t t : timesteps()) {
    const double a = schedule.alpha_cumprod(t);
    sigmas_.push_back(std::sqrt((1 - a) / a));
  }
  sigmas_.push_back(0);
}

void UniPcSampler::reset() {
  outputs_.fill(at::Tensor());
  last_sample_ = at::Tensor();
  order_ = 0;
}

UniPcSampler::Level UniPcSampler::level(std::size_t index) const {
  const double ratio = sigmas_.at(index);
  const double alpha = 1 / std::sqrt(ratio * ratio + 1);
  return {alpha, ratio * alpha, -std::log(ratio)};
}

UniPcSampler::Base UniPcSampler::base(const at::Tensor& x, const at::Tensor& x0,
                                      std::size_t from) const {
  const Level here = level(from), next = level(from + 1);
  Base part;
  part.h = next.log_snr - here.log_snr;
  part.scale = next.alpha * std::expm1(-part.h);
  part.first_order = next.sigma / here.sigma * x - part.scale * x0;
  return part;
}

// UniP: `sample` at `index` to the next step.
at::Tensor UniPcSampler::predict(const at::Tensor& sample,
                                 std::size_t index) const {
  const Base part = base(sample, outputs_[1], index);
  if (order_ == 1) return part.first_order;
  const double rk = (level(index - 1).log_snr - level(index).log_snr) / part.h;
  const at::Tensor slope = (outputs_[0] - outputs_[1]) / rk;
  return part.first_order - part.scale * 0.5 * slope;
}

// UniC: the sample at `index` again, now that the clean image `x0` seen from
// there is known.
at::Tensor UniPcSampler::correct(const at::Tensor& x0,
                                 std::size_t index) const {
  const Base part = base(last_sample_, outputs_[1], index - 1);
  const at::Tensor change = x0 - outputs_[1];
  if (order_ == 1) return part.first_order - part.scale * 0.5 * change;
  // The 2x2 system [1 1; rk 1] rho = b of the paper's equation 7, B = e^-h - 1.
  const double rk =
      (level(index - 2).log_snr - level(index - 1).log_snr) / part.h;
  const double hh = -part.h, b_h = std::expm1(hh);
  const double phi_2 = b_h / hh - 1;
  const double b_1 = phi_2 / b_h;
  const double b_2 = 2 * (phi_2 / hh - 0.5) / b_h;
  const double rho_1 = (b_1 - b_2) / (1 - rk);
  const double rho_2 = b_1 - rho_1;
  const at::Tensor slope = (outputs_[0] - outputs_[1]) / rk;
  return part.first_order - part.scale * (rho_1 * slope + rho_2 * change);
}

at::Tensor UniPcSampler::step(const at::Tensor& output, std::size_t index,
                              const at::Tensor& sample) {
  const Level here = level(index);
  at::Tensor x0 =
      denoise(prediction_, output, sample, here.alpha, here.sigma).x0;
  if (clip_sample_) x0 = x0.clamp(-1, 1);
  const at::Tensor corrected = order_ > 0 ? correct(x0, index) : sample;
  const int left = static_cast<int>(timesteps().size() - index);
  order_ = std::min({2, order_ + 1, left});
  outputs_ = {outputs_[1], x0};
  last_sample_ = corrected;
  return predict(corrected, index);
}

}  // namespace sono
