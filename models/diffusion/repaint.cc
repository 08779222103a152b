#include "models/diffusion/repaint.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/check.h"
#include "core/option.h"

namespace sono {
namespace {

// Steps in order of visit, from num_steps - 1 down to 0 with jumps back up.
std::vector<std::int64_t> visited_steps(const RePaintConfig& config) {
  std::map<std::int64_t, std::int64_t> jumps_left;
  for (std::int64_t j = 0; j < config.num_steps - config.jump_length;
       j += config.jump_length) {
    jumps_left[j] = config.jump_n_sample - 1;
  }
  std::vector<std::int64_t> visited;
  std::int64_t t = config.num_steps;
  while (t >= 1) {
    visited.push_back(--t);
    const auto jump = jumps_left.find(t);
    if (jump == jumps_left.end() || jump->second == 0) continue;
    --jump->second;
    for (std::int64_t i = 0; i < config.jump_length; ++i) {
      visited.push_back(++t);
    }
  }
  return visited;
}

}  // namespace

void RePaintConfig::validate(const std::string& section,
                             std::int64_t num_train_timesteps) const {
  check_range(section + ".num_steps", static_cast<double>(num_steps), 1,
              static_cast<double>(num_train_timesteps));
  check_range(section + ".jump_length", static_cast<double>(jump_length), 1,
              static_cast<double>(num_train_timesteps));
  check_range(section + ".jump_n_sample", static_cast<double>(jump_n_sample), 1,
              1000);
  check_range(section + ".eta", eta, 0, 1);
}

RePaintSampler::RePaintSampler(const RePaintConfig& config,
                               const NoiseSchedule& schedule)
    : config_(config),
      schedule_(schedule),
      stride_(schedule.num_train_timesteps() / config.num_steps) {
  std::int64_t last = schedule.num_train_timesteps();
  for (const std::int64_t step : visited_steps(config)) {
    // Noise is added from the timestep where the sample stands.
    const std::int64_t timestep = step * stride_;
    const bool denoise = timestep < last;
    moves_.push_back({denoise ? timestep : last, denoise});
    last = timestep;
  }
}

double RePaintSampler::signal_after(std::int64_t timestep) const {
  const std::int64_t next = timestep - stride_;
  return next >= 0 ? schedule_.alpha_cumprod(next) : 1.0;
}

at::Tensor RePaintSampler::step(const at::Tensor& epsilon,
                                std::int64_t timestep, const at::Tensor& sample,
                                const at::Tensor& known, const at::Tensor& mask,
                                const at::Tensor& noise) const {
  const double a = schedule_.alpha_cumprod(timestep);
  const double a_next = signal_after(timestep);
  at::Tensor x0 = (sample - std::sqrt(1 - a) * epsilon) / std::sqrt(a);
  if (config_.clip_sample) x0 = x0.clamp(-1, 1);
  const double deviation =
      config_.eta * std::sqrt((1 - a_next) / (1 - a) * (1 - a / a_next));
  const double direction =
      std::sqrt(std::max(0.0, 1 - a_next - deviation * deviation));
  at::Tensor open = std::sqrt(a_next) * x0 + direction * epsilon;
  if (timestep > 0 && config_.eta > 0) open = open + deviation * noise;
  const at::Tensor kept =
      std::sqrt(a_next) * known + std::sqrt(1 - a_next) * noise;
  return mask * kept + (1 - mask) * open;
}

at::Tensor RePaintSampler::add_noise(
    const at::Tensor& sample, std::int64_t timestep,
    const std::vector<at::Tensor>& noises) const {
  SONO_CHECK_EQ(static_cast<std::int64_t>(noises.size()), stride_);
  at::Tensor x = sample;
  for (std::int64_t i = 0; i < stride_; ++i) {
    const std::int64_t t = timestep + i;
    const double before = t > 0 ? schedule_.alpha_cumprod(t - 1) : 1.0;
    const double keep = schedule_.alpha_cumprod(t) / before;  // 1 - beta
    x = std::sqrt(keep) * x +
        std::sqrt(1 - keep) * noises[static_cast<std::size_t>(i)];
  }
  return x;
}

}  // namespace sono
