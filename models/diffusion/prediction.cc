#include "models/diffusion/prediction.h"

#include "core/option.h"

namespace sono {

Prediction parse_prediction(const std::string& option,
                            const std::string& text) {
  check_choice(option, text, {"epsilon", "v_prediction", "sample"});
  if (text == "sample") return Prediction::kSample;
  return text == "epsilon" ? Prediction::kEpsilon : Prediction::kVelocity;
}

at::Tensor prediction_target(const NoiseSchedule& schedule,
                             Prediction prediction, const at::Tensor& x,
                             const at::Tensor& noise,
                             const at::Tensor& timesteps) {
  if (prediction == Prediction::kSample) return x;
  return prediction == Prediction::kEpsilon
             ? noise
             : schedule.velocity(x, noise, timesteps);
}

at::Tensor min_snr_weight(const NoiseSchedule& schedule, Prediction prediction,
                          const at::Tensor& timesteps, double gamma) {
  const at::Tensor snr = schedule.snr(timesteps);
  if (gamma <= 0) return at::ones_like(snr);
  const at::Tensor capped = snr.clamp_max(gamma);
  if (prediction == Prediction::kSample) return capped;
  return prediction == Prediction::kEpsilon ? capped / snr : capped / (snr + 1);
}

Denoised denoise(Prediction prediction, const at::Tensor& output,
                 const at::Tensor& sample, double alpha, double sigma) {
  if (prediction == Prediction::kSample) {
    return {output, (sample - alpha * output) / sigma};
  }
  if (prediction == Prediction::kEpsilon) {
    return {(sample - sigma * output) / alpha, output};
  }
  return {alpha * sample - sigma * output, alpha * output + sigma * sample};
}

}  // namespace sono
