#pragma once
// Samplers: from noise to an image in a few network calls. Timesteps and steps
// are those of the schedulers of diffusers.

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/diffusion/noise_schedule.h"
#include "models/diffusion/prediction.h"

namespace sono {

struct SamplerConfig {
  // "ddpm" (Ho et al. 2020), "ddim" (Song et al. 2021), "unipc" (Zhao et al.
  // 2023), "dpmpp_2m" (Lu et al. 2022) or "euler_ancestral" (Karras et al.
  // 2022).
  std::string kind = "ddim";
  std::string spacing = "trailing";  // "trailing", "leading" or "linspace"
  std::int64_t num_steps = 20;
  std::int64_t steps_offset = 0;  // added to "leading" timesteps (SD uses 1)
  // Clamp the estimate of the clean image to [-1, 1] at every step.
  bool clip_sample = false;
  // DDIM's last step goes to the clean image; false stops at timestep 0 (SD).
  bool set_alpha_to_one = true;
  double eta = 0;  // DDIM: 0 adds no noise, 1 as much as DDPM
  // DDPM: "fixed_small" (the posterior's) or "fixed_large" (beta).
  std::string variance = "fixed_small";
  int solver_order = 2;  // unipc 1 .. 3, dpmpp_2m 1 or 2
  // unipc: "bh1" or "bh2"; dpmpp_2m: "midpoint" or "heun"; empty: bh2,
  // midpoint.
  std::string solver{};
  // Noise levels spaced as in Karras et al. 2022, equation 5 (unipc, dpmpp_2m).
  bool karras_sigmas = false;
  // Where unipc and dpmpp_2m end: "zero" or "sigma_min" (timestep 0's noise).
  std::string final_sigma = "zero";
  // dpmpp_2m with under 15 steps: the last one is of first order.
  bool lower_order_final = true;
  // False repeats known faults of diffusers, bit for bit where they matter:
  // DDIM goes down by a fixed stride even where timesteps are not spaced so;
  // unipc and dpmpp_2m with "leading" begin at a timestep that depends on the
  // number of steps; DDPM with "fixed_large" adds noise to the last image;
  // dpmpp_2m with Karras's levels and the cosine schedule cuts timesteps where
  // unipc rounds them; one step of unipc from Karras's levels to "sigma_min"
  // does nothing.
  bool corrected = false;

  // Throws ConfigError; `section` is the prefix of the option's name.
  void validate(const std::string& section, const NoiseScheduleConfig& noise,
                Prediction prediction) const;
};

// One trajectory at a time: step() is called for index 0, 1, ... (or from a
// later index on), in order. Not shared between threads.
class Sampler {
 public:
  // Standard normal noise of step `index`, shaped as the sample. Key it by
  // image and index, and no image depends on its batch.
  using StepNoise = std::function<at::Tensor(std::size_t index)>;

  virtual ~Sampler() = default;
  // Where the network is called, noisiest first; equal to diffusers'. Whole
  // numbers but for euler_ancestral with "linspace".
  const std::vector<double>& timesteps() const { return timesteps_; }
  // Needed by samplers that add noise: ddpm, ddim with eta, euler_ancestral.
  void set_step_noise(StepNoise noise) { step_noise_ = std::move(noise); }
  // What standard normal noise is to be multiplied with to begin.
  virtual double initial_scale() const { return 1; }
  // Clean images x [B, ...] with the noise of timesteps()[index].
  virtual at::Tensor noised(const at::Tensor& x, const at::Tensor& noise,
                            std::size_t index) const;
  // Takes `sample` [B, ...] at timesteps()[index], and the network's output
  // there, to the next timestep. Samples keep unit variance: signal and noise
  // levels with alpha^2 + sigma^2 = 1.
  virtual at::Tensor step(const at::Tensor& output, std::size_t index,
                          const at::Tensor& sample) = 0;
  // Forgets earlier steps, before another trajectory.
  virtual void reset() {}

 protected:
  Sampler(std::vector<double> timesteps, const NoiseSchedule& schedule,
          Prediction prediction, bool clip_sample);
  const NoiseSchedule& schedule() const { return schedule_; }
  std::int64_t whole_timestep(std::size_t index) const;
  // Clean image and noise at a step, clamped where asked for.
  Denoised parts(const at::Tensor& output, const at::Tensor& sample,
                 double alpha, double sigma) const;
  at::Tensor step_noise(std::size_t index, const at::Tensor& like) const;

 private:
  std::vector<double> timesteps_;
  NoiseSchedule schedule_;
  Prediction prediction_;
  bool clip_sample_;
  StepNoise step_noise_;
};

std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config,
                                      const NoiseSchedule& schedule,
                                      Prediction prediction);

}  // namespace sono
