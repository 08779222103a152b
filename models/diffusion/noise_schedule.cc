#include "models/diffusion/noise_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/check.h"
#include "core/option.h"

namespace sono {
namespace {

double cosine_alpha_bar(double t) {
  const double c = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
  return c * c;
}

at::Tensor cosine_betas(std::int64_t count) {
  std::vector<float> betas;
  for (std::int64_t i = 0; i < count; ++i) {
    const double from = static_cast<double>(i) / static_cast<double>(count);
    const double to = static_cast<double>(i + 1) / static_cast<double>(count);
    betas.push_back(static_cast<float>(
        std::min(1 - cosine_alpha_bar(to) / cosine_alpha_bar(from), 0.999)));
  }
  return at::tensor(betas);
}

at::Tensor betas_of(const NoiseScheduleConfig& c) {
  if (c.beta_schedule == "squaredcos_cap_v2") {
    return cosine_betas(c.num_train_timesteps);
  }
  if (c.beta_schedule == "linear") {
    return at::linspace(c.beta_start, c.beta_end, c.num_train_timesteps,
                        at::kFloat);
  }
  return at::linspace(std::sqrt(c.beta_start), std::sqrt(c.beta_end),
                      c.num_train_timesteps, at::kFloat)
      .square();
}

// sqrt(a) minus its last value, scaled so that the first one stays. The way
// through betas and back is diffusers', whose rounding it repeats.
at::Tensor without_last_signal(const at::Tensor& betas) {
  at::Tensor root = (1 - betas).cumprod(0).sqrt();
  const at::Tensor first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const at::Tensor a = root.square();
  const at::Tensor alphas =
      at::cat({a.slice(0, 0, 1), a.slice(0, 1) / a.slice(0, 0, -1)});
  return 1 - alphas;
}

at::Tensor alphas_cumprod_of(const NoiseScheduleConfig& config) {
  at::Tensor betas = betas_of(config);
  if (config.zero_terminal_snr) betas = without_last_signal(betas);
  return (1 - betas).cumprod(0);
}

at::Tensor broadcast(const at::Tensor& values, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.reshape(shape).to(like.device());
}

}  // namespace

void NoiseScheduleConfig::validate(const std::string& section) const {
  check_choice(section + ".beta_schedule", beta_schedule,
               {"scaled_linear", "linear", "squaredcos_cap_v2"});
  check_range(section + ".beta_start", beta_start, 1e-6, 0.5);
  check_range(section + ".beta_end", beta_end, beta_start, 0.999);
  check_range(section + ".num_train_timesteps",
              static_cast<double>(num_train_timesteps), 2, 100000);
}

NoiseSchedule::NoiseSchedule(const NoiseScheduleConfig& config)
    : config_(config), alphas_cumprod_(alphas_cumprod_of(config)) {}

double NoiseSchedule::alpha_cumprod(std::int64_t timestep) const {
  SONO_CHECK(timestep >= 0 && timestep < num_train_timesteps(),
             "timestep " << timestep);
  return alphas_cumprod_.const_data_ptr<float>()[timestep];
}

at::Tensor NoiseSchedule::signal(const at::Tensor& timesteps,
                                 const at::Tensor& like) const {
  return broadcast(alphas_cumprod_.index_select(0, timesteps).sqrt(), like);
}

at::Tensor NoiseSchedule::noise_level(const at::Tensor& timesteps,
                                      const at::Tensor& like) const {
  return broadcast((1 - alphas_cumprod_.index_select(0, timesteps)).sqrt(),
                   like);
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& x,
                                    const at::Tensor& noise,
                                    const at::Tensor& timesteps) const {
  return signal(timesteps, x) * x + noise_level(timesteps, x) * noise;
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& x, const at::Tensor& noise,
                                   const at::Tensor& timesteps) const {
  return signal(timesteps, x) * noise - noise_level(timesteps, x) * x;
}

at::Tensor NoiseSchedule::snr(const at::Tensor& timesteps) const {
  const at::Tensor a = alphas_cumprod_.index_select(0, timesteps);
  return a / (1 - a);
}

}  // namespace sono
