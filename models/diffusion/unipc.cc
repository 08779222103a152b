#include "models/diffusion/unipc.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace sono {
namespace {

// The right side b of the paper's equation 7 for a step of hh = -h.
std::array<double, 3> right_side(double hh, double b_h) {
  std::array<double, 3> b{};
  double phi = std::expm1(hh) / hh - 1, factorial = 1;
  for (std::size_t i = 0; i < b.size(); ++i) {
    b[i] = phi * factorial / b_h;
    factorial *= static_cast<double>(i + 2);
    phi = phi / hh - 1 / factorial;
  }
  return b;
}

// Solves [1 1; r 1] rho = b.
std::array<double, 2> solve(double r, double b_1, double b_2) {
  const double rho = (b_1 - b_2) / (1 - r);
  return {rho, b_1 - rho};
}

// Solves the Vandermonde system with nodes r, s and 1.
std::array<double, 3> solve(double r, double s,
                            const std::array<double, 3>& b) {
  // Polynomials that are 1 at one node and 0 at the others, applied to b.
  const auto at_node = [&b](double node, double other, double another) {
    return (b[2] - (other + another) * b[1] + other * another * b[0]) /
           ((node - other) * (node - another));
  };
  return {at_node(r, s, 1), at_node(s, r, 1), at_node(1, r, s)};
}

}  // namespace

UniPcSampler::UniPcSampler(const SamplerConfig& config,
                           const NoiseSchedule& schedule, Prediction prediction)
    : UniPcSampler(config, schedule, prediction,
                   multistep_ladder(config, schedule)) {}

UniPcSampler::UniPcSampler(const SamplerConfig& config,
                           const NoiseSchedule& schedule, Prediction prediction,
                           SigmaLadder ladder)
    : Sampler(ladder.timesteps, schedule, prediction, config.clip_sample),
      config_(config),
      ladder_(std::move(ladder)) {}

void UniPcSampler::reset() {
  outputs_.fill(at::Tensor());
  last_sample_ = at::Tensor();
  order_ = 0;
}

at::Tensor UniPcSampler::noised(const at::Tensor& x, const at::Tensor& noise,
                                std::size_t index) const {
  if (!config_.karras_sigmas) return Sampler::noised(x, noise, index);
  const Level here = ladder_.level(index);
  return here.alpha * x + here.sigma * noise;
}

UniPcSampler::Base UniPcSampler::base(const at::Tensor& x, const at::Tensor& x0,
                                      std::size_t from) const {
  const Level here = ladder_.level(from), next = ladder_.level(from + 1);
  Base part;
  part.h = next.log_snr - here.log_snr;
  const double scale = next.alpha * std::expm1(-part.h);
  part.first_order = next.sigma / here.sigma * x - scale * x0;
  part.scale = config_.solver == "bh1" ? next.alpha * -part.h : scale;
  return part;
}

UniPcSampler::Slopes UniPcSampler::slopes(std::size_t from, double h) const {
  Slopes found;
  for (int i = 0; i + 1 < order_; ++i) {
    const auto k = static_cast<std::size_t>(i);
    found.steps[k] =
        (ladder_.level(from - k - 1).log_snr - ladder_.level(from).log_snr) / h;
    found.values[k] = (outputs_[1 - k] - outputs_[2]) / found.steps[k];
  }
  return found;
}

// UniP: `sample` at `index` to the next step.
at::Tensor UniPcSampler::predict(const at::Tensor& sample,
                                 std::size_t index) const {
  const Base part = base(sample, outputs_[2], index);
  if (order_ == 1) return part.first_order;
  const Slopes s = slopes(index, part.h);
  if (order_ == 2) return part.first_order - part.scale * 0.5 * s.values[0];
  const double hh = -part.h;
  const auto b = right_side(hh, config_.solver == "bh1" ? hh : std::expm1(hh));
  // [1 1; r s] rho = b, as above with s in the place of 1.
  const double rho_2 = (b[1] - s.steps[0] * b[0]) / (s.steps[1] - s.steps[0]);
  const double rho_1 = b[0] - rho_2;
  return part.first_order -
         part.scale * (rho_1 * s.values[0] + rho_2 * s.values[1]);
}

// UniC: the sample at `index` again, now that the clean image `x0` seen from
// there is known.
at::Tensor UniPcSampler::correct(const at::Tensor& x0,
                                 std::size_t index) const {
  const Base part = base(last_sample_, outputs_[2], index - 1);
  const at::Tensor change = x0 - outputs_[2];
  if (order_ == 1) return part.first_order - part.scale * 0.5 * change;
  const Slopes s = slopes(index - 1, part.h);
  const double hh = -part.h;
  const double b_h = config_.solver == "bh1" ? hh : std::expm1(hh);
  if (order_ == 2) {
    const auto b = right_side(hh, b_h);
    const auto rho = solve(s.steps[0], b[0], b[1]);
    return part.first_order -
           part.scale * (rho[0] * s.values[0] + rho[1] * change);
  }
  const auto rho = solve(s.steps[0], s.steps[1], right_side(hh, b_h));
  return part.first_order -
         part.scale *
             (rho[0] * s.values[0] + rho[1] * s.values[1] + rho[2] * change);
}

at::Tensor UniPcSampler::step(const at::Tensor& output, std::size_t index,
                              const at::Tensor& sample) {
  const Level here = ladder_.level(index);
  const at::Tensor x0 = parts(output, sample, here.alpha, here.sigma).x0;
  const at::Tensor corrected = order_ > 0 ? correct(x0, index) : sample;
  const int left = static_cast<int>(timesteps().size() - index);
  order_ = std::min({config_.solver_order, order_ + 1, left});
  outputs_ = {outputs_[1], outputs_[2], x0};
  last_sample_ = corrected;
  return predict(corrected, index);
}

}  // namespace sono
