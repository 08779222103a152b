#include "models/diffusion/sampler.h"

#include "core/option.h"
#include "models/diffusion/ddim.h"
#include "models/diffusion/unipc.h"

namespace sono {

void SamplerConfig::validate(const std::string& section,
                             std::int64_t num_train_timesteps) const {
  check_choice(section + ".sampler", kind, {"ddim", "unipc"});
  check_choice(section + ".timestep_spacing", spacing,
               {"trailing", "leading", "linspace"});
  check_range(section + ".sampling_steps", static_cast<double>(num_steps), 1,
              static_cast<double>(num_train_timesteps - 1));
  check_range(section + ".steps_offset", static_cast<double>(steps_offset), 0,
              1);
}

std::unique_ptr<Sampler> make_sampler(const SamplerConfig& config,
                                      const NoiseSchedule& schedule,
                                      Prediction prediction) {
  if (config.kind == "unipc") {
    return std::make_unique<UniPcSampler>(config, schedule, prediction);
  }
  return std::make_unique<DdimSampler>(config, schedule, prediction);
}

}  // namespace sono
