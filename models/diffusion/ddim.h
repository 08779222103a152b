#pragma once
// DDIM with eta 0 (Song et al. 2021, equation 12); diffusers' DDIMScheduler.

#include "models/diffusion/sampler.h"

namespace sono {

class DdimSampler : public Sampler {
 public:
  DdimSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
              Prediction prediction);
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;

 private:
  SamplerConfig config_;
  NoiseSchedule schedule_;
  Prediction prediction_;
};

}  // namespace sono
