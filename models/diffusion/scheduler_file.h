#pragma once
// Reads diffusers' scheduler_config.json: the noise process that a published
// model was trained with, and the sampler it asks for.

#include <filesystem>

#include "models/diffusion/sampler.h"

namespace sono {

struct SchedulerFile {
  NoiseScheduleConfig noise;
  std::string prediction = "epsilon";
  SamplerConfig sampler;  // num_steps is not in the file
};

// Absent fields have the default of the scheduler's class. `sampler_kind`
// replaces the file's class, as from_config does ("" keeps it): noise,
// prediction, spacing and offset stay. DataError or ConfigError naming file and
// field: a class or a setting that is not offered, an unknown field, a wrong
// type.
SchedulerFile read_scheduler_file(const std::filesystem::path& path,
                                  const std::string& sampler_kind = "");

}  // namespace sono
