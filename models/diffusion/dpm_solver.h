#pragma once
// DPM-Solver++ multistep of order 2 on the predicted clean image (Lu et al.
// 2022, "DPM-Solver++", algorithm 2); diffusers' DPMSolverMultistepScheduler
// with algorithm_type dpmsolver++.

#include "models/diffusion/sigma_ladder.h"

namespace sono {

class DpmSolverSampler : public Sampler {
 public:
  DpmSolverSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
                   Prediction prediction);
  at::Tensor noised(const at::Tensor& x, const at::Tensor& noise,
                    std::size_t index) const override;
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;
  void reset() override { last_x0_ = at::Tensor(); }

 private:
  DpmSolverSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
                   Prediction prediction, SigmaLadder ladder);
  bool first_order(std::size_t index) const;

  SamplerConfig config_;
  SigmaLadder ladder_;
  at::Tensor last_x0_;  // the clean image seen from the step before
};

}  // namespace sono
