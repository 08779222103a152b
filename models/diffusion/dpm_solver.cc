#include "models/diffusion/dpm_solver.h"

#include <cmath>

namespace sono {

DpmSolverSampler::DpmSolverSampler(const SamplerConfig& config,
                                   const NoiseSchedule& schedule,
                                   Prediction prediction)
    : DpmSolverSampler(config, schedule, prediction,
                       multistep_ladder(config, schedule)) {}

DpmSolverSampler::DpmSolverSampler(const SamplerConfig& config,
                                   const NoiseSchedule& schedule,
                                   Prediction prediction, SigmaLadder ladder)
    : Sampler(ladder.timesteps, schedule, prediction, config.clip_sample),
      config_(config),
      ladder_(std::move(ladder)) {}

at::Tensor DpmSolverSampler::noised(const at::Tensor& x,
                                    const at::Tensor& noise,
                                    std::size_t index) const {
  const Level here = ladder_.level(index);
  return here.alpha * x + here.sigma * noise;
}

bool DpmSolverSampler::first_order(std::size_t index) const {
  // As diffusers: many steps need no care at the end, unless it is at 0.
  constexpr std::size_t kManySteps = 15;
  if (config_.solver_order == 1 || !last_x0_.defined()) return true;
  if (index + 1 < timesteps().size()) return false;
  return config_.final_sigma == "zero" ||
         (config_.lower_order_final && timesteps().size() < kManySteps);
}

at::Tensor DpmSolverSampler::step(const at::Tensor& output, std::size_t index,
                                  const at::Tensor& sample) {
  const Level here = ladder_.level(index), next = ladder_.level(index + 1);
  const at::Tensor x0 = parts(output, sample, here.alpha, here.sigma).x0;
  const double h = next.log_snr - here.log_snr;
  const double scale = next.alpha * std::expm1(-h);
  at::Tensor x = next.sigma / here.sigma * sample - scale * x0;
  if (!first_order(index)) {
    const double h_last = here.log_snr - ladder_.level(index - 1).log_snr;
    // An average of the slope over the step: at its middle, or exactly.
    const double weight = config_.solver == "heun"
                              ? next.alpha * (std::expm1(-h) / h + 1)
                              : -0.5 * scale;
    x = x + weight * (h / h_last) * (x0 - last_x0_);
  }
  last_x0_ = x0;
  return x;
}

}  // namespace sono
