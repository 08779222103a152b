#pragma once
// RePaint (Lugmayr et al. 2022): fills in the part of an image that a mask
// leaves open with an ordinary epsilon network, going back and forth in time so
// that both parts come to fit; diffusers' RePaintScheduler.

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/diffusion/noise_schedule.h"

namespace sono {

struct RePaintConfig {
  std::int64_t num_steps = 250;
  std::int64_t jump_length = 10;    // steps that a jump back takes
  std::int64_t jump_n_sample = 10;  // passes over each such stretch
  double eta = 0;                   // as DDIM's
  bool clip_sample = true;

  // Throws ConfigError; `section` is the prefix of the option's name.
  void validate(const std::string& section,
                std::int64_t num_train_timesteps) const;
};

// What to do at a place of the schedule: denoise at `timestep`, or, where the
// next one is noisier, add the noise of one step from there on.
struct RePaintMove {
  std::int64_t timestep = 0;
  bool denoise = true;
};

// Immutable; may be used by several threads.
class RePaintSampler {
 public:
  RePaintSampler(const RePaintConfig& config, const NoiseSchedule& schedule);

  const std::vector<RePaintMove>& moves() const { return moves_; }
  // How many training timesteps one step spans: noises that add_noise takes.
  std::int64_t stride() const { return stride_; }

  // Denoises `sample` [B, ...] with the network's epsilon there. `known`
  // [B, ...] is kept where `mask` is 1 and made up where it is 0. `noise` is
  // standard normal, shaped as the sample.
  at::Tensor step(const at::Tensor& epsilon, std::int64_t timestep,
                  const at::Tensor& sample, const at::Tensor& known,
                  const at::Tensor& mask, const at::Tensor& noise) const;
  // One step back: `noises` holds stride() standard normal tensors.
  at::Tensor add_noise(const at::Tensor& sample, std::int64_t timestep,
                       const std::vector<at::Tensor>& noises) const;

 private:
  double signal_after(std::int64_t timestep) const;  // alpha_cumprod

  RePaintConfig config_;
  NoiseSchedule schedule_;
  std::int64_t stride_;
  std::vector<RePaintMove> moves_;
};

}  // namespace sono
