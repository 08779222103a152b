#pragma once
// Deterministic samplers: from noise to an image in a few network calls.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/diffusion/noise_schedule.h"
#include "models/diffusion/prediction.h"

namespace sono {

struct SamplerConfig {
  std::string kind = "ddim";         // "ddim" or "unipc"
  std::string spacing = "trailing";  // "trailing", "leading" or "linspace"
  std::int64_t num_steps = 20;
  std::int64_t steps_offset = 0;  // added to "leading" timesteps (SD uses 1)
  // Clamp the estimate of the clean image to [-1, 1] at every step.
  bool clip_sample = false;
  // DDIM's last step goes to the clean image; false stops at timestep 0 (SD).
  bool set_alpha_to_one = true;

  // Throws ConfigError; `section` is the prefix of the option's name.
  void validate(const std::string& section,
                std::int64_t num_train_timesteps) const;
};

// One trajectory at a time: step() is called for index 0, 1, ... (or from a
// later index on), in order. Not shared between threads.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // Where the network is called, noisiest first; equal to diffusers'.
  const std::vector<std::int64_t>& timesteps() const { return timesteps_; }
  // Takes `sample` [B, ...] at timesteps()[index], and the network's output
  // there, to the next timestep.
  virtual at::Tensor step(const at::Tensor& output, std::size_t index,
                          const at::Tensor& sample) = 0;
  // Forgets earlier steps, before another trajectory.
  virtual void reset() {}

 protected:
  explicit Sampler(std::vector<std::int64_t> timesteps)
      : timesteps_(std::move(timesteps)) {}

 private:
  std::vector<std::int64_t> timesteps_;
};

std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config,
                                      const NoiseSchedule& schedule,
                                      Prediction prediction);

}  // namespace sono
