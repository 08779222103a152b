#pragma once
// DDIM (Song et al. 2021, equation 12); diffusers' DDIMScheduler.

#include "models/diffusion/sampler.h"

namespace sono {

class DdimSampler : public Sampler {
 public:
  DdimSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
              Prediction prediction);
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;

 private:
  std::int64_t next_timestep(std::size_t index) const;  // negative at the end

  SamplerConfig config_;
};

}  // namespace sono
