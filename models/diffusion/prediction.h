#pragma once
// What the network predicts, the loss weight it implies, and what follows from
// it about the clean image.

#include <ATen/ATen.h>

#include <string>

#include "models/diffusion/noise_schedule.h"

namespace sono {

enum class Prediction { kEpsilon, kVelocity, kSample };

// "epsilon", "v_prediction" or "sample" (the clean image itself); ConfigError
// names `option` otherwise.
Prediction parse_prediction(const std::string& option, const std::string& text);

// What the network should say, shaped as x.
at::Tensor prediction_target(const NoiseSchedule& schedule,
                             Prediction prediction, const at::Tensor& x,
                             const at::Tensor& noise,
                             const at::Tensor& timesteps);

// Hang et al. 2023: min(snr, gamma) / snr for epsilon, / (snr + 1) for v, as
// diffusers' training scripts, and min(snr, gamma) itself for the clean image;
// gamma 0 gives ones. fp32 [B].
at::Tensor min_snr_weight(const NoiseSchedule& schedule, Prediction prediction,
                          const at::Tensor& timesteps, double gamma);

// The two parts of a noisy sample that a model output stands for.
struct Denoised {
  at::Tensor x0;
  at::Tensor epsilon;
};
// `alpha` and `sigma`: the signal and noise levels, alpha^2 + sigma^2 = 1.
Denoised denoise(Prediction prediction, const at::Tensor& output,
                 const at::Tensor& sample, double alpha, double sigma);

}  // namespace sono
