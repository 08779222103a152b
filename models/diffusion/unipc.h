#pragma once
// UniPC (Zhao et al. 2023), bh1 or bh2, of order 1 to 3 on the predicted clean
// image, with lower orders at both ends; diffusers' UniPCMultistepScheduler
// with predict_x0 and lower_order_final.

#include <array>

#include "models/diffusion/sigma_ladder.h"

namespace sono {

class UniPcSampler : public Sampler {
 public:
  UniPcSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
               Prediction prediction);
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;
  at::Tensor noised(const at::Tensor& x, const at::Tensor& noise,
                    std::size_t index) const override;
  void reset() override;

 private:
  UniPcSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
               Prediction prediction, SigmaLadder ladder);
  // One step of the ladder without regard to slopes.
  struct Base {
    at::Tensor first_order;  // sigma ratio * x - alpha (e^-h - 1) x0
    double h = 0;
    double scale = 0;  // alpha B(h), the weight of the slopes
  };
  Base base(const at::Tensor& x, const at::Tensor& x0, std::size_t from) const;
  // Clean images before outputs_[newest], as slopes from it, and how far back
  // they lie in units of the step from `from` on, negative.
  struct Slopes {
    std::array<at::Tensor, 2> values;
    std::array<double, 2> steps{};
  };
  Slopes slopes(std::size_t from, double h) const;
  at::Tensor correct(const at::Tensor& x0, std::size_t index) const;
  at::Tensor predict(const at::Tensor& sample, std::size_t index) const;

  SamplerConfig config_;
  SigmaLadder ladder_;
  std::array<at::Tensor, 3> outputs_;  // clean images, the newest last
  at::Tensor last_sample_;
  int order_ = 0;  // of the last predictor step; 0 before the first
};

}  // namespace sono
