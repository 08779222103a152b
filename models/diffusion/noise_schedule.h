#pragma once
// How fast the signal goes: the forward process of a diffusion model.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace sono {

struct NoiseScheduleConfig {
  // "scaled_linear" (Stable Diffusion), "linear" (Ho et al. 2020) or
  // "squaredcos_cap_v2" (Nichol & Dhariwal 2021, equation 17).
  std::string beta_schedule = "scaled_linear";
  double beta_start = 0.00085;  // not used by squaredcos_cap_v2
  double beta_end = 0.012;
  std::int64_t num_train_timesteps = 1000;
  // Shift and scale the signal so that none is left at the last timestep (Lin
  // et al. 2023, algorithm 1). Needs a network that does not predict epsilon,
  // which says nothing about an image of which no trace is left.
  bool zero_terminal_snr = false;

  // Throws ConfigError; `section` is the prefix of the option's name.
  void validate(const std::string& section) const;
};

// Immutable; may be used by several threads.
class NoiseSchedule {
 public:
  explicit NoiseSchedule(const NoiseScheduleConfig& config);

  const NoiseScheduleConfig& config() const { return config_; }
  std::int64_t num_train_timesteps() const { return alphas_cumprod_.size(0); }
  // fp32 [num_train_timesteps], computed as diffusers does, in fp32.
  const at::Tensor& alphas_cumprod() const { return alphas_cumprod_; }
  double alpha_cumprod(std::int64_t timestep) const;

  // Timesteps are on the CPU, as the schedule is; x and noise may be elsewhere.
  // sqrt(a) x + sqrt(1 - a) noise; x and noise [B, ...], timesteps int64 [B].
  at::Tensor add_noise(const at::Tensor& x, const at::Tensor& noise,
                       const at::Tensor& timesteps) const;
  // The v of Salimans & Ho 2022: sqrt(a) noise - sqrt(1 - a) x.
  at::Tensor velocity(const at::Tensor& x, const at::Tensor& noise,
                      const at::Tensor& timesteps) const;
  // a / (1 - a), fp32 [B].
  at::Tensor snr(const at::Tensor& timesteps) const;

 private:
  // f(a) at the timesteps, shaped to broadcast over `like`.
  at::Tensor signal(const at::Tensor& timesteps, const at::Tensor& like) const;
  at::Tensor noise_level(const at::Tensor& timesteps,
                         const at::Tensor& like) const;

  NoiseScheduleConfig config_;
  at::Tensor alphas_cumprod_;
};

}  // namespace sono
