#pragma once
// Euler steps with fresh noise (Karras et al. 2022; k-diffusion's
// sample_euler_ancestral); diffusers' EulerAncestralDiscreteScheduler. There
// samples are signal + sigma noise; here they are divided by sqrt(1 + sigma^2),
// as the network sees them.

#include "models/diffusion/sigma_ladder.h"

namespace sono {

class EulerAncestralSampler : public Sampler {
 public:
  EulerAncestralSampler(const SamplerConfig& config,
                        const NoiseSchedule& schedule, Prediction prediction);
  double initial_scale() const override;
  at::Tensor noised(const at::Tensor& x, const at::Tensor& noise,
                    std::size_t index) const override;
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;

 private:
  EulerAncestralSampler(const SamplerConfig& config,
                        const NoiseSchedule& schedule, Prediction prediction,
                        SigmaLadder ladder);

  bool leading_;
  SigmaLadder ladder_;
};

}  // namespace sono
