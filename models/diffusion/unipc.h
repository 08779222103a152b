#pragma once
// UniPC (Zhao et al. 2023), the bh2 variant of order 2 on the predicted clean
// image, with a first-order last step; diffusers' UniPCMultistepScheduler with
// solver_order=2, predict_x0, lower_order_final.

#include <array>

#include "models/diffusion/sampler.h"

namespace sono {

class UniPcSampler : public Sampler {
 public:
  UniPcSampler(const SamplerConfig& config, const NoiseSchedule& schedule,
               Prediction prediction);
  at::Tensor step(const at::Tensor& output, std::size_t index,
                  const at::Tensor& sample) override;
  void reset() override;

 private:
  // Signal and noise levels at a step; `log_snr` is their log ratio.
  struct Level {
    double alpha, sigma, log_snr;
  };
  Level level(std::size_t index) const;
  // B(h) and the first-order part shared by predictor and corrector.
  struct Base {
    at::Tensor first_order;  // sigma ratio * x - alpha (e^-h - 1) x0
    double h = 0;
    double scale = 0;  // alpha (e^-h - 1)
  };
  Base base(const at::Tensor& x, const at::Tensor& x0, std::size_t from) const;
  at::Tensor correct(const at::Tensor& x0, std::size_t index) const;
  at::Tensor predict(const at::Tensor& sample, std::size_t index) const;

  Prediction prediction_;
  bool clip_sample_;
  std::vector<double> sigmas_;         // noise over signal, then 0
  std::array<at::Tensor, 2> outputs_;  // clean images, the newest last
  at::Tensor last_sample_;
  int order_ = 0;  // of the last predictor step; 0 before the first
};

}  // namespace sono
