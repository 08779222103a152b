#pragma once
// Ancestral sampling of Ho et al. 2020 (algorithm 2, on fewer timesteps);
// diffusers' DDPMScheduler.

#include "models/diffusion/sampler.h"

namespace sono {

class DdpmSampler : public Sampler {
 public:
  DdpmSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
              Prediction prediction);
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;

 private:
  SamplerConfig config_;
};

}  // namespace sono
