#include "models/diffusion/sampler.h"

#include "core/check.h"
#include "core/option.h"
#include "models/diffusion/ddim.h"
#include "models/diffusion/ddpm.h"
#include "models/diffusion/dpm_solver.h"
#include "models/diffusion/euler_ancestral.h"
#include "models/diffusion/timestep_spacing.h"
#include "models/diffusion/unipc.h"

namespace sono {
namespace {

void validate_solver(const SamplerConfig& c, const std::string& section) {
  const bool unipc = c.kind == "unipc", dpm = c.kind == "dpmpp_2m";
  check_range(section + ".solver_order", c.solver_order, 1, unipc ? 3 : 2);
  check_choice(section + ".final_sigma", c.final_sigma, {"zero", "sigma_min"});
  if (!c.solver.empty() && unipc) {
    check_choice(section + ".solver", c.solver, {"bh1", "bh2"});
  } else if (!c.solver.empty() && dpm) {
    check_choice(section + ".solver", c.solver, {"midpoint", "heun"});
  }
  if (c.karras_sigmas && !unipc && !dpm) {
    throw ConfigError("option " + section + ".karras_sigmas does not go with " +
                      section + ".sampler = " + c.kind +
                      "; take unipc or dpmpp_2m");
  }
}

}  // namespace

void SamplerConfig::validate(const std::string& section,
                             const NoiseScheduleConfig& noise,
                             Prediction prediction) const {
  check_choice(section + ".sampler", kind,
               {"ddpm", "ddim", "unipc", "dpmpp_2m", "euler_ancestral"});
  check_choice(section + ".timestep_spacing", spacing,
               {"trailing", "leading", "linspace"});
  const bool multistep = kind == "unipc" || kind == "dpmpp_2m";
  check_range(
      section + ".sampling_steps", static_cast<double>(num_steps), 1,
      static_cast<double>(noise.num_train_timesteps - (multistep ? 1 : 0)));
  check_range(section + ".steps_offset", static_cast<double>(steps_offset), 0,
              1);
  check_range(section + ".eta", eta, 0, 1);
  check_choice(section + ".variance", variance, {"fixed_small", "fixed_large"});
  validate_solver(*this, section);
  spaced_timesteps(
      {spacing, noise.num_train_timesteps, num_steps, steps_offset, multistep});
  if (noise.zero_terminal_snr && prediction == Prediction::kEpsilon) {
    throw ConfigError("option " + section +
                      ".zero_terminal_snr needs a network that predicts "
                      "v_prediction or sample, not epsilon");
  }
}

Sampler::Sampler(std::vector<double> timesteps, const NoiseSchedule& schedule,
                 Prediction prediction, bool clip_sample)
    : timesteps_(std::move(timesteps)),
      schedule_(schedule),
      prediction_(prediction),
      clip_sample_(clip_sample) {}

at::Tensor Sampler::noised(const at::Tensor& x, const at::Tensor& noise,
                           std::size_t index) const {
  return schedule_.add_noise(
      x, noise, at::full({x.size(0)}, whole_timestep(index), at::kLong));
}

std::int64_t Sampler::whole_timestep(std::size_t index) const {
  return static_cast<std::int64_t>(timesteps_.at(index));
}

Denoised Sampler::parts(const at::Tensor& output, const at::Tensor& sample,
                        double alpha, double sigma) const {
  Denoised both = denoise(prediction_, output, sample, alpha, sigma);
  if (clip_sample_) both.x0 = both.x0.clamp(-1, 1);
  return both;
}

at::Tensor Sampler::step_noise(std::size_t index,
                               const at::Tensor& like) const {
  SONO_CHECK(step_noise_, "this sampler adds noise; call set_step_noise");
  const at::Tensor noise = step_noise_(index);
  SONO_CHECK(noise.sizes() == like.sizes(),
             "noise " << noise.sizes() << " for " << like.sizes());
  return noise.to(like.device());
}

std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config,
                                      const NoiseSchedule& schedule,
                                      Prediction prediction) {
  if (config.kind == "unipc") {
    return std::make_unique<UniPcSampler>(config, schedule, prediction);
  }
  if (config.kind == "dpmpp_2m") {
    return std::make_unique<DpmSolverSampler>(config, schedule, prediction);
  }
  if (config.kind == "euler_ancestral") {
    return std::make_unique<EulerAncestralSampler>(config, schedule,
                                                   prediction);
  }
  if (config.kind == "ddpm") {
    return std::make_unique<DdpmSampler>(config, schedule, prediction);
  }
  return std::make_unique<DdimSampler>(config, schedule, prediction);
}

}  // namespace sono
